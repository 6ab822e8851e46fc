//! What the benchmark is made of; each module may use those above it.

pub(crate) mod runs;
pub(crate) mod table;

pub(crate) mod disk;
pub(crate) mod launch;
pub(crate) mod machine;
pub(crate) mod programs;

pub(crate) mod conversion;
pub(crate) mod hashing;
pub(crate) mod making;
pub(crate) mod reading;
pub(crate) mod registry;
pub(crate) mod tracing;

pub(crate) mod bench;

mod balance;
mod calls;
mod cost;
mod floor;
mod memory;
mod procedure;
mod rerun;
mod scale;
mod sync;

pub(crate) mod sections;

pub(crate) mod arguments;
