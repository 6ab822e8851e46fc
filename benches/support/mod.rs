//! What the benchmarks share; each module may use those above it.

pub(crate) mod arguments;
pub(crate) mod storage;

pub(crate) mod images;
