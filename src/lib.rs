//! `bundle` converts container images between skopeo's `dir:` trees and registry storage, offline.
//!
//! Every command is the same sentence: read trees into catalogs, do algebra on digests, decide a plan, execute
//! it, report.
//!
//! ```text
//! tree ──scan──▶ Catalog ──name, select──▶ Catalog ──entries──▶ [Entry] ──plan──▶ Plan ──execute──▶ Outcome ──▶ report
//! ```
//!
//! The modules in reading order; each may use those above it, never those below:

pub mod catalog;
pub mod cli;
pub mod commands;
pub mod damage;
pub mod digest;
pub mod disk;
pub mod execute;
pub mod finding;
pub mod hash;
pub mod layout;
pub mod manifest;
pub mod names;
pub mod plan;
pub mod platforms;
pub mod present;
pub mod progress;
pub mod reference;
pub mod report;
pub mod select;
pub mod stats;
pub mod tally;
pub mod verify;
pub mod work;
