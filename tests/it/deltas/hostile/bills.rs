//! Bills of materials that lie of deltas, which are as they should be.

use super::{Ground, expect_none};
use crate::hostile::packages::writer::{Carried, Package, Restored};
use crate::support::sha256;

/// A lie: what it is, what has to be found, and how it is told.
type Lie = (&'static str, &'static str, fn(&mut Package));

fn carried(digest: &str) -> Carried {
    Carried { digest: digest.to_owned(), size: 1.into(), offset: None }
}

#[test]
fn a_bill_says_what_its_deltas_say() {
    const ELSE: &str = "a delta of something else";
    const TWICE: &str = "is there twice";
    let lies: [Lie; 20] = [
        ("a byte more aside", ELSE, |it| {
            let aside = it.bill.restores[0].aside.as_u64().unwrap();
            it.bill.restores[0].aside = (aside + 1).into();
        }),
        ("nothing aside", ELSE, |it| it.bill.restores[0].aside = 0.into()),
        ("an ocean aside", "bases of an impossible size", |it| {
            it.bill.restores[0].aside = (1_u64 << 50).into();
        }),
        ("more aside than there are numbers", "impossible size", |it| {
            it.bill.restores[0].aside = u64::MAX.into();
        }),
        ("a blob of another size", "", |it| {
            let size = it.bill.restores[0].size.as_u64().unwrap();
            it.bill.restores[0].size = (size + 1).into();
        }),
        ("no bases", "bases of an impossible size", |it| it.bill.restores[1].bases.clear()),
        ("the bases of each other", "", |it| {
            let first = it.bill.restores[0].bases.clone();
            it.bill.restores[0].bases = std::mem::replace(&mut it.bill.restores[1].bases, first);
        }),
        ("a base of which nothing is said", "of which nothing is said", |it| {
            it.bill.restores[0].bases = vec![sha256(b"nothing is said")];
        }),
        ("too many bases", "from too many bases", |it| {
            let base = it.bill.restores[0].bases[0].clone();
            it.bill.restores[0].bases = vec![base; 5];
        }),
        ("itself as a base", "deltas that need one another", |it| {
            it.bill.restores[0].bases = vec![it.bill.restores[0].digest.clone()];
        }),
        ("a circle", "deltas that need one another", |it| {
            let digests = [1, 0].map(|number: usize| it.bill.restores[number].digest.clone());
            for (restored, other) in it.bill.restores.iter_mut().zip(digests) {
                restored.bases = vec![other];
            }
        }),
        ("a delta of a manifest", "a delta of the manifest", |it| {
            let manifest = it.bill.manifests[0].digest.clone();
            let size = it.carried(&manifest).size.clone();
            it.bill.carries.retain(|carried| carried.digest != manifest);
            let delta = carried(&sha256(b"d"));
            it.contents.insert(delta.digest.clone(), b"d".to_vec());
            let like = it.bill.restores[0].clone();
            it.bill.restores.push(Restored { digest: manifest, size, delta, ..like });
        }),
        ("one delta of two blobs", TWICE, |it| {
            it.bill.restores[1].delta = it.bill.restores[0].delta.clone();
        }),
        ("a blob that is restored twice", TWICE, |it| {
            let restored = it.bill.restores[0].clone();
            it.bill.restores[1] = restored;
        }),
        ("a blob that is carried as well", TWICE, |it| {
            let digest = it.bill.restores[0].digest.clone();
            it.contents.insert(digest.clone(), b"x".to_vec());
            it.bill.carries.push(carried(&digest));
        }),
        ("a blob that is relied on as well", TWICE, |it| {
            let digest = it.bill.restores[0].digest.clone();
            it.bill.relies_on.push(carried(&digest));
        }),
        ("a delta that is content as well", "", |it| {
            let manifest = it.bill.manifests[0].digest.clone();
            it.bill.restores[0].delta = it.carried(&manifest).clone();
        }),
        ("nothing to unpack it", "another way to unpack it", |it| it.bill.unpacked_by = None),
        ("another program to unpack it", "another way to unpack it", |it| {
            it.bill.unpacked_by = Some("tar".to_owned());
        }),
        ("content that nobody restores from", "content that no image needs", |it| {
            it.bill.relies_on.push(carried(&sha256(b"nobody")));
        }),
    ];
    let ground = Ground::new();
    let mut complaints = Vec::new();
    for (what, words, tell) in &lies {
        let mut package = ground.package.clone();
        tell(&mut package);
        complaints.extend(ground.refuse(&package, what, words).err());
    }
    assert_eq!(ground.harmless.get(), 0, "{complaints:?}");
    expect_none("bills that lie of deltas", lies.len(), complaints);
}

/// Where the delta is not what the bill says, its content is what is wrong.
#[test]
fn a_delta_has_the_digest_that_its_bill_says() {
    let ground = Ground::new();
    let mut refused = 0;
    for number in [0, 1] {
        let mut package = ground.package.clone();
        let delta = package.bill.restores[number].delta.digest.clone();
        *package.contents.get_mut(&delta).unwrap().last_mut().unwrap() ^= 1;
        let path = ground.write(&package);
        for passes_by in [false, true] {
            let super::Outcome::Refused { kind, file, .. } = ground.apply(&path, passes_by) else {
                panic!("it was applied");
            };
            println!("a delta with another digest: {kind}, {}", file.display());
            // What passes by is hashed; what lies there is held to the digest of what it restores.
            assert_eq!(kind, if passes_by { "corrupt-blob" } else { "damaged-package" });
            refused += 1;
        }
    }
    assert_eq!(refused, 4);
}
