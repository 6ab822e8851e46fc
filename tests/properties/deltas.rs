//! Properties of deltas: whatever changes in a blob, its delta restores it; and whatever happens to a delta, a site
//! gets the blob from it, or nothing and a word on the package.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bundle::deflate::encoder::{ENCODERS, Encoder};
use bundle::deflate::member::trailer;
use bundle::delta::document::{Bytes, Document};
use bundle::delta::library::Library;
use bundle::delta::make::{Delta, Made, Making, make};
use bundle::delta::restore;
use bundle::digest::{Algorithm, Digest};
use bundle::disk::{self, Destination, File, Look, Ownership, Place, Scratch, WhenLocked};
use bundle::execute::{self, Origin, Restoration};
use bundle::finding::Kind;
use bundle::layout::package::{Bill, Carried, Form, Restored, SCHEMA, Totals};
use bundle::plan::{Placement, Plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A change of a blob.
#[derive(Debug, Clone)]
enum Edit {
    /// So many bytes are others.
    Alter(Index, usize),
    /// These are inserted.
    Insert(Index, Vec<u8>),
    /// So many are removed.
    Remove(Index, usize),
    /// So many come again, or go, elsewhere.
    Move(Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        3 => (place(), 1..60_usize).prop_map(|(at, length)| Edit::Alter(at, length)),
        2 => (place(), vec(any::<u8>(), 1..200)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (place(), 1..2000_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (place(), place(), 1..3000_usize).prop_map(|(from, to, length)| Edit::Move(from, to, length)),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let within = |at: &Index, length: usize, bytes: &[u8]| {
            let begin = at.index(bytes.len());
            begin..(begin + length).min(bytes.len())
        };
        match self {
            Self::Alter(at, length) => {
                let range = within(at, *length, bytes);
                bytes[range].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(5).wrapping_add(1));
            }
            Self::Insert(at, more) => drop(bytes.splice(within(at, 0, bytes), more.iter().copied())),
            Self::Remove(at, length) => drop(bytes.drain(within(at, *length, bytes))),
            Self::Move(from, to, length) => {
                let moved: Vec<u8> = bytes.drain(within(from, *length, bytes)).collect();
                bytes.splice(within(to, 0, bytes), moved);
            }
        }
    }
}

/// Words that come again, and noise: both that an encoder compresses and that it does not.
fn base() -> impl Strategy<Value = Vec<u8>> {
    let words =
        vec("[a-z]{2,9} ", 40).prop_flat_map(|words| vec(proptest::sample::select(words), 1500..4000));
    (words, vec(any::<u8>(), 4000..9000))
        .prop_map(|(words, noise)| [words.concat().into_bytes(), noise].concat())
}

/// The name of an encoder, or none.
fn encoder() -> impl Strategy<Value = Option<&'static str>> {
    proptest::option::weighted(0.7, (0..ENCODERS.len()).prop_map(|number| ENCODERS[number].id))
}

/// A blob of these bytes.
fn blob(encoder: Option<&str>, plain: &[u8]) -> Vec<u8> {
    let Some(encoder) = encoder.and_then(Encoder::named) else { return plain.to_vec() };
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
    let mut deflate = encoder.start().unwrap();
    deflate.write(plain, &mut out);
    deflate.finish(&mut out);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(plain);
    out.extend(trailer(checksum.finalize(), plain.len() as u64));
    out
}

/// Writes a blob under its name.
fn write(folder: &Path, bytes: &[u8]) -> (Digest, File) {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    let path = folder.join(digest.hex());
    fs::write(&path, bytes).unwrap();
    match disk::look(&path).unwrap() {
        Look::File(file) => (digest, file),
        _ => panic!("no file"),
    }
}

/// A delta, with the bases that it takes from, uncompressed.
fn delta(folder: &Path, base: &[u8], target: &[u8]) -> Option<(Box<Delta>, Vec<Scratch>)> {
    let library = Library::read(vec![write(folder, base)], &|_| {});
    let (digest, file) = write(folder, target);
    let making = Making { library: &library, folder, level: 3, stands_alone: false };
    let Made::Delta(delta) = make(digest, &file, making).unwrap() else { return None };
    let bases = delta.header.bases.iter().map(|it| {
        let mut scratch = Scratch::new(folder).unwrap();
        restore::uncompress(it, &write(folder, base).1, &mut scratch).unwrap();
        scratch
    });
    let bases = bases.collect();
    Some((delta, bases))
}

/// The bytes of a delta.
fn bytes(delta: &Delta) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut delta.bytes.reader(), &mut bytes).unwrap();
    bytes
}

/// What a delta restores, if it is one.
fn restored(delta: &Vec<u8>, bases: &[Scratch]) -> Option<Vec<u8>> {
    let document = Document::open(delta).ok()?;
    if document.header.bases.len() > bases.len() {
        return None;
    }
    let (mut made, most) = (Vec::new(), document.header.blob.size);
    let result = restore::blob(&document, bases, |piece| {
        made.extend_from_slice(piece);
        Ok(())
    });
    assert!(made.len() as u64 <= most, "it makes {} bytes of a blob of {most}", made.len());
    result.ok().map(|_| made)
}

/// A site with one blob, to which a delta comes.
struct Site<'d> {
    delta: &'d Vec<u8>,
    base: (Digest, File),
}

impl Origin for Site<'_> {
    fn delta(&self, delta: &Digest) -> Option<Box<dyn Bytes + '_>> {
        assert_eq!(*delta, Digest::of(Algorithm::Sha256, self.delta));
        Some(Box::new(self.delta.clone()))
    }

    fn base(&self, base: &Digest) -> Option<File> {
        (*base == self.base.0).then(|| self.base.1.clone())
    }
}

/// What a site gets from a package that has these bytes as the delta of a blob, of which its bill tells the truth;
/// or what is wrong with it.
fn received(folder: &Path, wanted: &Restored, base: &[u8], delta: &Vec<u8>) -> Result<Vec<u8>, Vec<Kind>> {
    let carried =
        Carried { digest: Digest::of(Algorithm::Sha256, delta), size: delta.len() as u64, offset: None };
    let bill = Bill {
        schema: SCHEMA.to_owned(),
        form: Form::Tar,
        created_by: String::new(),
        name: None,
        labels: Default::default(),
        unpacked_by: None,
        totals: Totals::default(),
        images: Vec::new(),
        manifests: Vec::new(),
        carries: Vec::new(),
        restores: vec![Restored { delta: carried, ..wanted.clone() }],
        relies_on: Vec::new(),
    };
    let root = folder.join("site");
    let place = Place::from("data");
    let target = place.path_in(&root);
    let placement = Placement {
        digest: wanted.digest,
        size: wanted.size,
        verdict: None,
        targets: std::iter::once(&place).collect(),
    };
    let plan = Plan { root: root.clone(), placements: vec![placement], ..Plan::default() };
    let origin = Site { delta, base: write(folder, base) };
    let restoration = Restoration { bill: &bill, package: Path::new("package"), origin: &origin };
    let destination = Destination::open(&root, Ownership::default(), WhenLocked::Refuse).unwrap();
    let made = execute::restore(&plan, &restoration, &destination, &|| {}).unwrap();
    let result = match made {
        Ok((outcome, asides)) => {
            assert_eq!((outcome.restored.files, outcome.restored.bytes), (1, wanted.size));
            let bytes = fs::read(asides[0].file().unwrap().path()).unwrap();
            Ok(bytes)
        }
        Err(findings) => Err(findings.iter().map(|it| it.kind).collect()),
    };
    assert!(!target.exists(), "what is restored has no place yet");
    assert_eq!(left_in(&root), Vec::<PathBuf>::new(), "nothing stays behind");
    result
}

/// The files below a folder.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).unwrap().collect();
    let paths = entries.unwrap().into_iter().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { left_in(&path) } else { vec![path] }).collect()
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig {
        cases: number,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_delta_restores_what_it_was_made_of(
        base in base(),
        edits in vec(edit(), 0..8),
        (of_base, of_target) in (encoder(), encoder()),
    ) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut target = base.clone();
        edits.iter().for_each(|edit| edit.apply(&mut target));
        let (base, target) = (blob(of_base, &base), blob(of_target, &target));
        let Some((delta, bases)) = delta(folder.path(), &base, &target) else {
            prop_assert!(false, "no delta of a blob that changed a little");
            unreachable!()
        };
        prop_assert_eq!(restored(&bytes(&delta), &bases), Some(target));
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_damaged_delta_restores_nothing_else(
        base in base(),
        edits in vec(edit(), 1..8),
        encoder in encoder(),
        damages in vec(vec((any::<Index>(), any::<u8>()), 1..4), 40),
    ) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut target = base.clone();
        edits.iter().for_each(|edit| edit.apply(&mut target));
        let target = blob(encoder, &target);
        let Some((delta, bases)) = delta(folder.path(), &base, &target) else { return Ok(()) };
        let good = bytes(&delta);
        let wanted = Restored {
            digest: Digest::of(Algorithm::Sha256, &target),
            size: target.len() as u64,
            delta: Carried { digest: delta.header.blob.digest, size: 0, offset: None },
            bases: delta.header.bases.iter().map(|base| base.digest).collect(),
            aside: delta.header.bases.iter().map(|base| base.plain_size).sum(),
        };
        let receive = |delta: &Vec<u8>| received(folder.path(), &wanted, &base, delta);
        prop_assert_eq!(receive(&good), Ok(target.clone()));
        // The streams begin behind the header.
        let begin = good.len() - delta.header.streams.iter().map(|it| it.stored as usize).sum::<usize>();
        for (number, damage) in damages.into_iter().enumerate() {
            let mut bad = good.clone();
            // Most of what hits a header makes it none: every other damage leaves it as it is.
            let from = if number % 2 == 0 { begin } else { 0 };
            for (at, byte) in damage {
                let place = from + at.index(bad.len() - from);
                bad[place] ^= byte;
            }
            let made = restored(&bad, &bases);
            match receive(&bad) {
                Ok(received) => {
                    prop_assert!(received == target, "the site has something else");
                    prop_assert_eq!(made, Some(target.clone()));
                }
                // The base is sound, so nothing else is to blame.
                Err(kinds) => {
                    prop_assert_eq!(kinds, [Kind::DamagedPackage]);
                    prop_assert!(bad != good);
                }
            }
        }
    }
}
