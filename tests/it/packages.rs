//! Packages: what they carry, that they bring it, and that nothing else comes of them.

mod applying;
mod contents;
mod determinism;
mod inventories;
mod plain_tar;
mod reading;
mod releases;
mod scenarios;
mod selection;
mod site;
