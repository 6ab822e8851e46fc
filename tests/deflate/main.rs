//! The encoders, against the real programs: what they write has to be what the programs write, to the byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics, and the panic names the line")]

mod go;
mod golang;
mod inputs;
mod judge;
mod pgzip;
#[path = "../it/support/program.rs"]
mod program;
mod random;
mod stream;
mod zlib;
