//! About how large a delta would be, without making it: from what files look like alone.

use std::io;

use super::library::{Library, Pairing};
use super::make::MIN_BYTES;
use super::members::{Member, members};
use super::plain::{self, Form};
use super::recognise::recognise;
use crate::disk::File;

/// What a member's headers cost where the base has them, and where it does not, in bytes.
const HEADER: [u64; 2] = [4, 40];
/// What a changed file costs, in percent of what it costs whole: between that of a rebuilt program, about 30, and
/// that of a text with a new line, about 1.
const CHANGED: u64 = 20;

/// About how many bytes a blob's delta would have; the blob's own length where there would be none.
///
/// # Errors
/// When the blob cannot be read.
pub fn estimate(file: &File, library: &Library) -> io::Result<u64> {
    if file.size < MIN_BYTES {
        return Ok(file.size);
    }
    let is_known = match plain::open(file) {
        Ok((Form::Bare, _)) => true,
        Ok((Form::Gzip(header), plain)) => recognise(file, &header, plain)?.next().is_some(),
        Ok((Form::Zstd, _)) | Err(_) => false,
    };
    if !is_known {
        return Ok(file.size);
    }
    let Ok(listed) = members(|| Ok(plain::open(file)?.1)) else { return Ok(file.size) };
    match library.pair(&listed) {
        Some(pairing) => Ok(of(&listed, &pairing, library, file.size).min(file.size)),
        None => Ok(file.size),
    }
}

fn of(members: &[Member], pairing: &Pairing, library: &Library, size: u64) -> u64 {
    let plain_size = members.last().map_or(0, Member::end).max(1);
    let compressed = |bytes: u64| (u128::from(bytes) * u128::from(size) / u128::from(plain_size)) as u64;
    let costs = members.iter().zip(&pairing.pairs).map(|(member, pair)| {
        let content = match pair.content.map(|place| library.member(place)) {
            Some(base) if base.hash == member.hash && base.size == member.size => 0,
            Some(_) => compressed(member.size) * CHANGED / 100,
            None => compressed(member.size),
        };
        content + HEADER[usize::from(pair.header.is_none())]
    });
    costs.sum()
}
