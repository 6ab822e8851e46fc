//! Packages: what they carry, that they bring it, and that nothing else comes of them.

mod applying;
mod contents;
mod determinism;
mod inventories;
mod plain_tar;
mod reading;
pub(crate) mod releases;
pub(crate) mod scenarios;
mod selection;
pub(crate) mod site;
