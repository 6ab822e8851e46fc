//! Writes the instructions that make a blob from its bases: file by file, as they were paired.

use std::io::{self, BufWriter};

use super::library::{Pairing, Place};
use super::make::Making;
use super::matcher::{Stretch, stretches};
use super::members::Member;
use super::script::{At, ScriptWriter};
use crate::disk::Scratch;

/// Files are compared in windows of so many bytes: what is farther apart is not found, and memory has an end.
const WINDOW_BYTES: u64 = 32 << 20;
/// How many bytes are copied at once.
const PIECE_BYTES: usize = 1 << 20;

/// Writes the instructions that make the target from the bases.
pub(super) fn write_script(
    target: &Scratch,
    members: &[Member],
    pairing: &Pairing,
    bases: &[Scratch],
    making: Making,
) -> io::Result<[Scratch; 4]> {
    let new = || Scratch::new(making.folder).map(|it| BufWriter::with_capacity(PIECE_BYTES, it));
    let streams: [BufWriter<Scratch>; 4] = [new()?, new()?, new()?, new()?];
    let mut script = Script { target, bases, out: ScriptWriter::new(bases.len(), streams), at: 0 };
    for (member, pair) in members.iter().zip(&pairing.pairs) {
        let of = |place| {
            let Place { base, .. } = place;
            let number = pairing.bases.iter().position(|it| *it == base).unwrap_or_default();
            (number, making.library.member(place))
        };
        let header = pair.header.map(|place| {
            let (base, member) = of(place);
            (base, member.begin, member.content)
        });
        script.header(member.content, header)?;
        let content = pair.content.map(|place| {
            let (base, there) = of(place);
            (base, there.content, there.end(), there.hash == member.hash && there.size == member.size)
        });
        script.content(member.end(), content)?;
    }
    let streams = script.out.finish()?;
    let mut done = Vec::with_capacity(streams.len());
    for stream in streams {
        done.push(stream.into_inner().map_err(io::IntoInnerError::into_error)?);
    }
    done.try_into().map_err(|_| io::ErrorKind::Other.into())
}

/// A script that is being written.
struct Script<'s> {
    target: &'s Scratch,
    bases: &'s [Scratch],
    out: ScriptWriter<BufWriter<Scratch>>,
    /// How much of the target is written.
    at: u64,
}

impl Script<'_> {
    /// Writes the headers in front of a member, up to `end`, from those of another, which end where they end.
    fn header(&mut self, end: u64, like: Option<(usize, u64, u64)>) -> io::Result<()> {
        let Some((base, begin, there)) = like else { return self.insert(end) };
        let same = (end - self.at).min(there - begin);
        self.insert(end - same)?;
        self.add(end, At { base, offset: there - same })
    }

    /// Writes a member's content, up to `end`, from that of another.
    fn content(&mut self, end: u64, like: Option<(usize, u64, u64, bool)>) -> io::Result<()> {
        let Some((base, begin, there, is_equal)) = like else { return self.insert(end) };
        if is_equal {
            return self.add(end, At { base, offset: begin });
        }
        let (size, there_size) = (end - self.at, there - begin);
        let start = self.at;
        while self.at < end {
            // The window of the base lies around the place that is as far in as the target's is.
            let length = (end - self.at).min(WINDOW_BYTES);
            let middle = u128::from(self.at - start + length / 2) * u128::from(there_size) / u128::from(size);
            let offset =
                (middle as u64).saturating_sub(WINDOW_BYTES / 2).min(there_size.saturating_sub(WINDOW_BYTES));
            let base_length = (there_size - offset).min(WINDOW_BYTES);
            self.compare(length as usize, At { base, offset: begin + offset }, base_length as usize)?;
        }
        Ok(())
    }

    fn compare(&mut self, length: usize, at: At, base_length: usize) -> io::Result<()> {
        let mut target = vec![0; length];
        self.target.read_exact_at(&mut target, self.at)?;
        let mut base = vec![0; base_length];
        self.bases[at.base].read_exact_at(&mut base, at.offset)?;
        let out = &mut self.out;
        let mut done = 0;
        let mut written = Ok(());
        stretches(&base, &target, |stretch| {
            if written.is_err() {
                return;
            }
            match stretch {
                Stretch::Like { offset, length } => {
                    let like = At { offset: at.offset + offset as u64, ..at };
                    let (there, here) = (&base[offset..offset + length], &target[done..done + length]);
                    written = out.add(like, there, here);
                    done += length;
                }
                Stretch::New { length } => {
                    written = out.insert(&target[done..done + length]);
                    done += length;
                }
            }
        });
        self.at += length as u64;
        written
    }

    fn add(&mut self, end: u64, mut at: At) -> io::Result<()> {
        let mut buffers = [vec![0; PIECE_BYTES.min((end - self.at) as usize)], Vec::new()];
        buffers[1] = buffers[0].clone();
        let [here, there] = &mut buffers;
        while self.at < end {
            let count = ((end - self.at) as usize).min(here.len());
            self.target.read_exact_at(&mut here[..count], self.at)?;
            self.bases[at.base].read_exact_at(&mut there[..count], at.offset)?;
            self.out.add(at, &there[..count], &here[..count])?;
            self.at += count as u64;
            at.offset += count as u64;
        }
        Ok(())
    }

    fn insert(&mut self, end: u64) -> io::Result<()> {
        let mut buffer = vec![0; PIECE_BYTES.min((end - self.at) as usize)];
        while self.at < end {
            let count = ((end - self.at) as usize).min(buffer.len());
            self.target.read_exact_at(&mut buffer[..count], self.at)?;
            self.out.insert(&buffer[..count])?;
            self.at += count as u64;
        }
        Ok(())
    }
}
