//! `bundle` converts container images between skopeo's `dir:` trees, registry storage and OCI image layouts, offline.
//!
//! Every command is the same sentence: read trees into catalogs, do algebra on digests, decide a plan, execute
//! it, report.
//!
//! ```text
//! tree ──scan──▶ Catalog ──name, select──▶ Catalog ──entries──▶ [Entry] ──plan──▶ Plan ──execute──▶ Outcome ──▶ report
//! ```
//!
//! The modules in reading order; each may use those above it, never those below:
//!
//! | room | modules |
//! | --- | --- |
//! | the ground | [`text`], [`disk`] (the only one that writes), [`work`], [`tally`] |
//! | a wing of its own | [`deflate`]: encoders that restore the layers of other programs, [`delta`] |
//! | the nouns | [`digest`], [`hash`] (of files), [`manifest`], [`mod@reference`], [`finding`], [`catalog`], [`platforms`] |
//! | the rim | [`layout`]: one codec a file |
//! | what is wanted | [`names`], [`select`], [`lists`] (platforms) |
//! | what is sound | [`verify`] (files), [`damage`] (images), [`present`] (the destination), [`audit`] (a whole tree) |
//! | what is done | [`plan`], [`space`] (whether it fits), [`execute`], [`pack`], [`prune`] |
//! | what is said | [`stats`], [`report`], [`progress`] |
//! | the sentences | [`commands`], [`cli`], [`interrupt`] |

pub mod text;
pub mod disk;
pub mod work;
pub mod tally;

pub mod deflate;

pub mod digest;
pub mod hash;
pub mod manifest;
pub mod reference;
pub mod finding;
pub mod catalog;
pub mod platforms;

pub mod delta;

pub mod layout;

pub mod names;
pub mod select;
pub mod lists;

pub mod verify;
pub mod damage;
pub mod present;
pub mod audit;

pub mod plan;
pub mod space;
pub mod execute;
pub mod pack;
pub mod prune;

pub mod stats;
pub mod report;
pub mod progress;

pub mod commands;
pub mod cli;
pub mod interrupt;
