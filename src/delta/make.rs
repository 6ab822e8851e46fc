//! Makes the delta of a blob, and keeps it only if it restores the blob.

use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::iter;
use std::path::Path;

use super::compare::write_script;
use super::document::{self, BaseContent, Bytes, Content, Document, Gzip, Header, Stream, WINDOW_BITS};
use super::library::{Base, Library, Pair, Pairing};
use super::members::{Member, members};
use super::plain::{self, Form};
use super::recognise::recognise;
use super::restore;
use super::script::is_odd;
use crate::digest::{Digest, Hasher};
use crate::disk::{File, Scratch};
use crate::hash;

/// Smaller blobs are not worth the look, in bytes.
pub const MIN_BYTES: u64 = 4 << 10;

/// How many bytes are copied at once.
const PIECE_BYTES: usize = 1 << 20;

/// What became of the wish for a delta.
#[derive(Debug)]
pub enum Made {
    /// This restores the blob, and is smaller.
    Delta(Box<Delta>),
    /// The blob is better shipped as it is.
    Whole(Why),
}

/// A delta, in a file without a name.
#[derive(Debug)]
pub struct Delta {
    /// What it says of itself.
    pub header: Header,
    /// It.
    pub bytes: Scratch,
}

/// Why a blob is shipped whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is small as it is.
    Small,
    /// It is compressed by zstd, which nobody can write again.
    Zstd,
    /// It is no single gzip member, or is damaged.
    OddGzip,
    /// No encoder here writes its bytes again.
    UnknownEncoder,
    /// Nothing at the site is like it.
    NothingAlike,
    /// Its delta would not be clearly smaller.
    NotSmaller,
    /// Its delta would have restored something else.
    NotExact,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::Zstd => "zstd",
            Self::OddGzip => "no single gzip member",
            Self::UnknownEncoder => "unknown gzip encoder",
            Self::NothingAlike => "nothing like it in the base",
            Self::NotSmaller => "no smaller as a delta",
            Self::NotExact => "not restored exactly",
        })
    }
}

/// How deltas are made.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// What the sites have.
    pub library: &'a Library,
    /// Where large things are put aside.
    pub folder: &'a Path,
    /// How hard to try: one of zstd's levels, 1 to 19.
    pub level: i32,
    /// Whether a blob is made of itself alone where nothing is like it.
    pub stands_alone: bool,
}

/// Makes the delta of a blob.
///
/// # Errors
/// When the blob cannot be read, or nothing can be put aside.
pub fn make(digest: Digest, file: &File, making: Making) -> io::Result<Made> {
    if file.size < MIN_BYTES {
        return Ok(Made::Whole(Why::Small));
    }
    let (form, mut bytes) = match plain::open(file) {
        Ok((Form::Zstd, _)) => return Ok(Made::Whole(Why::Zstd)),
        Err(error) if is_odd(&error) => return Ok(Made::Whole(Why::OddGzip)),
        opened => opened?,
    };
    let mut target = Scratch::new(making.folder)?;
    match copy(&mut bytes, &mut target) {
        Err(error) if is_odd(&error) => return Ok(Made::Whole(Why::OddGzip)),
        copied => copied?,
    }
    let members = members(|| Ok(target.reader()))?;
    let pairing = match making.library.pair(&members) {
        Some(pairing) => pairing,
        None if making.stands_alone => Pairing::alone(&members),
        None => return Ok(Made::Whole(Why::NothingAlike)),
    };
    let envelopes: Box<dyn Iterator<Item = Option<Gzip>>> =
        match &form {
            Form::Gzip(gzip) => {
                let mut encoders = recognise(file, gzip, target.reader())?.peekable();
                if encoders.peek().is_none() {
                    return Ok(Made::Whole(Why::UnknownEncoder));
                }
                let header = document::to_hex(gzip.bytes());
                Box::new(encoders.map(move |encoder| {
                    Some(Gzip { header: header.clone(), encoder: encoder.id.to_owned() })
                }))
            }
            _ => Box::new(iter::once(None)),
        };

    let (bases, described) = open_bases(&pairing, making)?;
    let Some(bases) = bases else { return Ok(Made::Whole(Why::NothingAlike)) };
    let streams = write_script(&target, &members, &pairing, &bases, making)?;
    let plain_size = target.len();
    drop(target);
    let mut header = Header {
        blob: Content { digest, size: file.size },
        plain_size,
        gzip: None,
        bases: described,
        streams: [Stream { stored: 0, size: 0 }; 4],
    };
    let compressed = compress(streams, &mut header.streams, making)?;
    let stored: u64 = header.streams.iter().map(|stream| stream.stored).sum();
    if !is_worth_it(stored, file.size, &header) {
        return Ok(Made::Whole(Why::NotSmaller));
    }

    // The beginning tells the encoder; all of it tells whether it is the one.
    for envelope in envelopes {
        header.gzip = envelope;
        let mut bytes = Scratch::new(making.folder)?;
        let mut readers = compressed.each_ref().map(Scratch::reader);
        let [a, b, c, d] = &mut readers;
        document::write(&header, [a, b, c, d], &mut BufWriter::with_capacity(PIECE_BYTES, &mut bytes))?;
        if restores(&bytes, &bases, digest)? {
            return Ok(Made::Delta(Box::new(Delta { header, bytes })));
        }
    }
    Ok(Made::Whole(Why::NotExact))
}

/// Whether a blob is smaller as a delta by so much that it is worth the work of restoring it.
fn is_worth_it(delta: u64, blob: u64, header: &Header) -> bool {
    let percent = if header.bases.is_empty() { 95 } else { 80 };
    delta < blob / 100 * percent
}

/// Restores the blob as its receiver will, and compares its digest.
fn restores(bytes: &Scratch, bases: &[Scratch], digest: Digest) -> io::Result<bool> {
    let document = match Document::open(bytes) {
        Err(error) if is_odd(&error) => return Ok(false),
        opened => opened?,
    };
    let mut hasher = Hasher::new(digest.algorithm());
    let restored = restore::blob(&document, bases, |piece| {
        hasher.update(piece);
        Ok(())
    });
    match restored {
        Ok(_) => Ok(hasher.finish() == digest),
        Err(error) if is_odd(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Pairing {
    /// That of a blob that takes from nothing.
    fn alone(members: &[Member]) -> Self {
        Self { bases: Vec::new(), pairs: vec![Pair::default(); members.len()] }
    }
}

type Opened = (Option<Vec<Scratch>>, Vec<BaseContent>);

/// Uncompresses what is taken from; none of it if one is not what its name says.
fn open_bases(pairing: &Pairing, making: Making) -> io::Result<Opened> {
    let (mut scratches, mut described) = (Vec::new(), Vec::new());
    for &number in &pairing.bases {
        let base = &making.library.bases[number as usize];
        if !is_sound(base)? {
            return Ok((None, Vec::new()));
        }
        let plain_size = base.members.last().map_or(0, Member::end);
        let content = BaseContent { digest: base.digest, size: base.file.size, plain_size };
        let mut scratch = Scratch::new(making.folder)?;
        restore::uncompress(&content, &base.file, &mut scratch)?;
        scratches.push(scratch);
        described.push(content);
    }
    Ok((Some(scratches), described))
}

/// Whether a base is what its name says, as it is at the site: made from something else, the delta would fail there.
fn is_sound(base: &Base) -> io::Result<bool> {
    // Many layers take from one base: it is hashed once, unless somebody writes to it meanwhile.
    if base.was_sound.get().is_some() && base.file.check_unchanged().is_ok() {
        return Ok(true);
    }
    let (found, _) = hash::digest_of(&base.file, base.digest.algorithm(), &|_| {})?;
    let is_sound = found == base.digest;
    if is_sound {
        base.was_sound.get_or_init(|| ());
    }
    Ok(is_sound)
}

/// Compresses the streams one after the other: only one of them needs its memory at a time.
fn compress(streams: [Scratch; 4], sizes: &mut [Stream; 4], making: Making) -> io::Result<[Scratch; 4]> {
    let mut compressed = Vec::with_capacity(streams.len());
    for ((stream, size), window) in streams.into_iter().zip(sizes).zip(WINDOW_BITS) {
        let out = Scratch::new(making.folder)?;
        let mut encoder = zstd::Encoder::new(BufWriter::with_capacity(PIECE_BYTES, out), making.level)?;
        encoder.set_pledged_src_size(Some(stream.len()))?;
        if stream.len() > 1 << 21 {
            encoder.window_log(window)?;
            encoder.long_distance_matching(stream.len() > 1 << 23)?;
        }
        copy(&mut stream.reader(), &mut encoder)?;
        let out = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        *size = Stream { stored: out.len(), size: stream.len() };
        compressed.push(out);
    }
    compressed.try_into().map_err(|_| io::ErrorKind::Other.into())
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        to.write_all(&buffer[..count])?;
    }
}

impl Bytes for Scratch {
    fn size(&self) -> u64 {
        self.len()
    }

    fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + '_>> {
        Scratch::range(self, offset, length)
    }
}
