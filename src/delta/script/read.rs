//! Reads scripts, and holds them to what they may be.

use std::io::{self, Read};

use super::{At, bad, read_number, unzigzag};

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Where the stretch begins that is added to.
    pub at: At,
    /// How long it is, in bytes.
    pub added: u64,
    /// How many new bytes follow it.
    pub inserted: u64,
}

/// Reads a script, and holds it to what it may be.
#[derive(Debug)]
pub struct ScriptReader<R> {
    control: R,
    runs: R,
    differences: R,
    inserts: R,
    /// Where the last stretch of each base ended.
    ends: Vec<u64>,
    /// How long each base is, in bytes.
    lengths: Vec<u64>,
    base: usize,
    zeros: u64,
    listed: u64,
}

impl<R: Read> ScriptReader<R> {
    /// Begins to read a script over bases of these lengths.
    pub fn new(lengths: Vec<u64>, [control, runs, differences, inserts]: [R; 4]) -> Self {
        let ends = vec![0; lengths.len()];
        Self { control, runs, differences, inserts, ends, lengths, base: 0, zeros: 0, listed: 0 }
    }

    /// The next instruction, which lies within its base; `Ok(None)` at the end.
    ///
    /// # Errors
    /// When it is none.
    pub fn instruction(&mut self) -> io::Result<Option<Instruction>> {
        let Some(first) = read_number(&mut self.control)? else { return Ok(None) };
        let (added, is_other) = (first >> 1, first & 1 == 1);
        if is_other {
            self.base = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        }
        let inserted = self.number()?;
        if added == 0 && inserted == 0 {
            return Err(bad("an instruction that does nothing"));
        }
        let mut at = At { base: self.base, offset: 0 };
        if added > 0 {
            let distance = self.number()?;
            let (Some(end), Some(&length)) = (self.ends.get_mut(self.base), self.lengths.get(self.base))
            else {
                return Err(bad("a base that is none"));
            };
            at.offset = end.wrapping_add(unzigzag(distance));
            *end = match at.offset.checked_add(added) {
                Some(end) if end <= length => end,
                _ => return Err(bad("a stretch outside its base")),
            };
        }
        Ok(Some(Instruction { at, added, inserted }))
    }

    /// Adds the next differences to bytes of a base.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn add_to(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        let mut list = [0; 4096];
        while !bytes.is_empty() {
            if self.zeros == 0 && self.listed == 0 {
                self.next_run()?;
            }
            let zeros = (bytes.len() as u64).min(self.zeros);
            self.zeros -= zeros;
            bytes = &mut bytes[zeros as usize..];
            if self.zeros == 0 && self.listed > 0 && !bytes.is_empty() {
                let most = bytes.len().min(list.len());
                let count = self.listed.min(most as u64) as usize;
                self.differences.read_exact(&mut list[..count])?;
                for (byte, difference) in bytes.iter_mut().zip(&list[..count]) {
                    *byte = byte.wrapping_add(*difference);
                }
                self.listed -= count as u64;
                bytes = &mut bytes[count..];
            }
        }
        Ok(())
    }

    /// Reads the next new bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn insert(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inserts.read_exact(bytes)
    }

    /// Makes sure that every stream was read to its end.
    ///
    /// # Errors
    /// When there is more.
    pub fn finish(mut self) -> io::Result<()> {
        let has_run = self.zeros > 0 || self.listed > 0;
        for stream in [&mut self.control, &mut self.runs, &mut self.differences, &mut self.inserts] {
            if has_run || stream.read(&mut [0])? > 0 {
                return Err(bad("more than the instructions use"));
            }
        }
        Ok(())
    }

    fn number(&mut self) -> io::Result<u64> {
        read_number(&mut self.control)?.ok_or_else(|| bad("the end of its instructions within one"))
    }

    fn next_run(&mut self) -> io::Result<()> {
        let end = || bad("fewer differences than its instructions need");
        self.zeros = read_number(&mut self.runs)?.ok_or_else(end)?;
        self.listed = read_number(&mut self.runs)?.ok_or_else(end)?;
        if self.zeros == 0 && self.listed == 0 {
            return Err(bad("a run that has nothing"));
        }
        Ok(())
    }
}
