//! What the benchmark is made of; each module may use those above it.

pub(crate) mod arguments;
pub(crate) mod storage;

pub(crate) mod contender;
pub(crate) mod images;
