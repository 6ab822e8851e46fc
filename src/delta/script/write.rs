//! Writes scripts.

use std::io::{self, Write};

use super::{At, equal_bytes, write_number, zigzag};

/// As many zeros end a run of listed differences: fewer cost less in the list than two numbers do.
const GAP: usize = 6;

/// Writes instructions into four streams.
#[derive(Debug)]
pub struct ScriptWriter<W> {
    streams: [W; 4],
    /// Where the last stretch of each base ended.
    ends: Vec<u64>,
    base: usize,
    /// The instruction that may still grow.
    begin: Option<At>,
    added: u64,
    inserted: u64,
    /// The run that may still grow.
    zeros: u64,
    listed: Vec<u8>,
}

impl<W: Write> ScriptWriter<W> {
    /// Begins a script over so many bases.
    pub fn new(bases: usize, streams: [W; 4]) -> Self {
        let ends = vec![0; bases];
        Self { streams, ends, base: 0, begin: None, added: 0, inserted: 0, zeros: 0, listed: Vec::new() }
    }

    /// Goes on with bytes that are like those of a base; both are equally long.
    ///
    /// # Errors
    /// When a stream cannot be written.
    pub fn add(&mut self, at: At, base: &[u8], target: &[u8]) -> io::Result<()> {
        if target.is_empty() {
            return Ok(());
        }
        let goes_on = self.inserted == 0
            && self.begin.is_some_and(|it| it.base == at.base && it.offset + self.added == at.offset);
        if !goes_on {
            self.end_instruction()?;
            self.begin = Some(at);
        }
        self.added += target.len() as u64;
        self.differ(base, target)
    }

    /// Goes on with new bytes.
    ///
    /// # Errors
    /// When a stream cannot be written.
    pub fn insert(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inserted += bytes.len() as u64;
        self.streams[3].write_all(bytes)
    }

    /// Ends the script and gives the streams back.
    ///
    /// # Errors
    /// When a stream cannot be written.
    pub fn finish(mut self) -> io::Result<[W; 4]> {
        self.end_instruction()?;
        self.end_run()?;
        Ok(self.streams)
    }

    fn end_instruction(&mut self) -> io::Result<()> {
        if self.added == 0 && self.inserted == 0 {
            return Ok(());
        }
        let control = &mut self.streams[0];
        let at = self.begin.take().unwrap_or(At { base: self.base, offset: 0 });
        let is_other = at.base != self.base;
        write_number(control, self.added << 1 | u64::from(is_other))?;
        if is_other {
            write_number(control, at.base as u64)?;
        }
        write_number(control, self.inserted)?;
        if self.added > 0 {
            let end = &mut self.ends[at.base];
            write_number(control, zigzag(at.offset.wrapping_sub(*end)))?;
            *end = at.offset + self.added;
        }
        self.base = at.base;
        (self.added, self.inserted) = (0, 0);
        Ok(())
    }

    fn differ(&mut self, base: &[u8], target: &[u8]) -> io::Result<()> {
        let mut rest = (base, target);
        while !rest.0.is_empty() {
            let equal = equal_bytes(rest.0, rest.1);
            // A short stretch of equal bytes goes into the list, unless nothing is listed yet.
            if equal > 0 {
                if self.listed.is_empty() || equal >= GAP {
                    self.end_list()?;
                    self.zeros += equal as u64;
                } else {
                    self.listed.resize(self.listed.len() + equal, 0);
                }
                rest = (&rest.0[equal..], &rest.1[equal..]);
            }
            let other = rest.0.iter().zip(rest.1).take_while(|(a, b)| a != b).count();
            self.listed.extend(rest.0.iter().zip(rest.1).take(other).map(|(a, b)| b.wrapping_sub(*a)));
            rest = (&rest.0[other..], &rest.1[other..]);
            if self.listed.len() > 1 << 20 {
                self.end_list()?;
            }
        }
        Ok(())
    }

    /// Writes the run, if it has a list: zeros alone may go on.
    fn end_list(&mut self) -> io::Result<()> {
        if self.listed.is_empty() { Ok(()) } else { self.end_run() }
    }

    fn end_run(&mut self) -> io::Result<()> {
        if self.zeros == 0 && self.listed.is_empty() {
            return Ok(());
        }
        write_number(&mut self.streams[1], self.zeros)?;
        write_number(&mut self.streams[1], self.listed.len() as u64)?;
        self.streams[2].write_all(&self.listed)?;
        self.zeros = 0;
        self.listed.clear();
        Ok(())
    }
}
