//! Referrers: images that are about others, and are found through these.
//!
//! There are two ways to be about a manifest. An image that names it as its `subject` is found by whoever lists
//! the repository's manifests, and needs no tag. Where registries do not list them, a tag is made of the
//! subject's digest instead: `sha256-<hex>` leads to an index of all referrers (OCI distribution specification,
//! "Referrers Tag Schema"), and cosign has one tag for each purpose, `sha256-<hex>.sig`, `.att`, `.sbom`. A
//! registry looks for referrers in the subject's own repository only.

use std::collections::{BTreeSet, HashMap};

use super::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::reference::{Host, Identifier, Reference, Repository, Tag};

/// How much of a digest's hexadecimal part a tag of the referrers tag schema has at most.
const MAX_HEX: usize = 64;

/// Where referrers are looked for.
type Place<'c> = (Option<&'c Host>, &'c Repository);

/// What an image says that it is about.
#[derive(PartialEq, Eq, Hash)]
enum Subject {
    /// This manifest.
    Manifest(Digest),
    /// The manifest whose digest begins so, cut off as the tag schema has it.
    Cut(Algorithm, Box<str>),
}

impl Catalog {
    /// Those of the `kept` images, and every image that is about one of them, to any depth: untagged ones by
    /// their subject, tagged ones by a tag that is made of a kept manifest's digest. Signatures, attestations and
    /// bills of materials come along so; what `is_excluded` stays out, with what is only about that.
    #[must_use]
    pub fn with_referrers(
        &self,
        mut kept: BTreeSet<Reference>,
        is_excluded: impl Fn(&Reference) -> bool,
    ) -> BTreeSet<Reference> {
        let mut referrers: HashMap<(Place, Subject), Vec<&Reference>> = HashMap::new();
        for (reference, image) in &self.images {
            let subject = match &reference.identifier {
                Identifier::Tag(tag) => subject_of_tag(tag),
                Identifier::Digest(_) => {
                    self.manifests.get(&image.digest).and_then(|it| it.subject).map(Subject::Manifest)
                }
            };
            if let Some(subject) = subject.filter(|_| !is_excluded(reference)) {
                referrers.entry((place(reference), subject)).or_default().push(reference);
            }
        }
        if referrers.is_empty() {
            return kept;
        }
        let mut fresh: Vec<&Reference> = self.images.keys().filter(|image| kept.contains(image)).collect();
        while let Some(reference) = fresh.pop() {
            let Some(image) = self.images.get(reference) else { continue };
            for (digest, _) in self.closure(image.digest).manifests {
                let subjects = [Some(Subject::Manifest(digest)), cut(&digest)];
                for subject in subjects.into_iter().flatten() {
                    // Each subject's referrers are taken once, however many images have it.
                    let followers = referrers.remove(&(place(reference), subject)).unwrap_or_default();
                    fresh.extend(followers.into_iter().filter(|it| kept.insert((*it).clone())));
                }
            }
        }
        kept
    }
}

fn place(reference: &Reference) -> Place<'_> {
    (reference.host.as_ref(), &reference.repository)
}

/// Whether a tag is one of those that are made of the digest of what its image is about.
#[must_use]
pub fn is_made_of_digest(tag: &Tag) -> bool {
    subject_of_tag(tag).is_some()
}

/// What a tag is about that is made of a digest: `<algorithm>-<hex>`, and for one purpose `.<purpose>` behind it.
fn subject_of_tag(tag: &Tag) -> Option<Subject> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == algorithm)?;
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    if let Ok(digest) = Digest::from_hex(algorithm, hex) {
        return Some(Subject::Manifest(digest));
    }
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_cut = hex.len() == MAX_HEX && algorithm.hex_length() > MAX_HEX && hex.bytes().all(is_hex);
    is_cut.then(|| Subject::Cut(algorithm, hex.into()))
}

/// A digest that is too long for the tag schema, as it stands in a tag.
fn cut(digest: &Digest) -> Option<Subject> {
    let algorithm = digest.algorithm();
    (algorithm.hex_length() > MAX_HEX).then(|| Subject::Cut(algorithm, digest.hex()[..MAX_HEX].into()))
}

#[cfg(test)]
mod tests {
    use super::super::{Image, Past};
    use super::*;
    use crate::manifest::{Kind, Manifest};

    fn digest(algorithm: Algorithm, text: &str) -> Digest {
        Digest::of(algorithm, text.as_bytes())
    }

    fn catalog(images: &[(&str, Digest, Option<Digest>)]) -> Catalog {
        let mut catalog = Catalog::default();
        for (name, digest, subject) in images {
            let image = Image { digest: *digest, history: Past::new(), origin: "x".into() };
            catalog.images.insert(name.parse().unwrap(), image);
            let (layers, manifests) = (Vec::new(), Vec::new());
            let manifest = Manifest {
                kind: Kind::OciManifest,
                size: 1,
                config: None,
                layers,
                manifests,
                subject: *subject,
            };
            catalog.manifests.insert(*digest, manifest);
        }
        catalog
    }

    fn followers(catalog: &Catalog, kept: &str, excluded: &str) -> Vec<String> {
        let kept: Reference = kept.parse().unwrap();
        let all = catalog.with_referrers([kept.clone()].into(), |it| it.to_string() == excluded);
        all.into_iter().filter(|it| *it != kept).map(|it| it.to_string()).collect()
    }

    #[test]
    fn tags_that_are_made_of_a_digest_follow_it() {
        for (algorithm, cut) in [(Algorithm::Sha256, 64), (Algorithm::Sha384, 96), (Algorithm::Sha512, 64)] {
            let app = digest(algorithm, "app");
            let other = digest(algorithm, "other");
            let tag =
                |digest: &Digest, end: &str| format!("{}-{}{end}", algorithm.name(), &digest.hex()[..cut]);
            let [sig, att, index] = [".sig", ".att", ""].map(|end| format!("a:{}", tag(&app, end)));
            let strangers = [
                format!("a:{}", tag(&other, ".sig")),
                format!("b:{}", tag(&app, ".sig")),
                format!("a:x-{}", tag(&app, "")),
                format!("a:{}-{}", algorithm.name(), &app.hex()[..40]),
            ];
            let mut images = vec![("a:1", app, None)];
            let of_tag = |name| digest(Algorithm::Sha256, name);
            for name in [&sig, &att, &index].into_iter().chain(&strangers) {
                images.push((name, of_tag(name), None));
            }
            // What is about a signature follows, too.
            let signed = format!("a:sha256-{}.sig", of_tag(&sig).hex());
            images.push((&signed, of_tag("signed"), None));
            let catalog = catalog(&images);
            let mut expected = vec![sig.clone(), att, index, signed.clone()];
            expected.sort();
            assert_eq!(followers(&catalog, "a:1", ""), expected);
            expected.retain(|it| *it != sig && *it != signed);
            assert_eq!(followers(&catalog, "a:1", &sig), expected);
        }
    }

    #[test]
    fn a_long_chain_of_referrers_is_followed_in_no_time() {
        let names: Vec<Digest> =
            (0..30_000).map(|at| digest(Algorithm::Sha256, &format!("link {at}"))).collect();
        let mut images = vec![("a:1".to_owned(), names[0], None)];
        images.extend(names.windows(2).map(|pair| (format!("a@{}", pair[1]), pair[1], Some(pair[0]))));
        let images: Vec<_> = images.iter().map(|(name, of, about)| (name.as_str(), *of, *about)).collect();
        assert_eq!(followers(&catalog(&images), "a:1", "").len(), names.len() - 1);
    }
}
