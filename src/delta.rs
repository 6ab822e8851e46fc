//! Deltas: a blob as what changed against blobs that a site has, restored to the byte, compressed layers included.
//!
//! A wing of its own that knows nothing of images. A layer is one gzip stream: a file that changed in it changes
//! all that follows. So both sides are uncompressed, the difference is made there, and the gzip stream is written
//! again by the encoder that wrote it first ([`crate::deflate`]).
//!
//! | to make one | |
//! | --- | --- |
//! | [`plain`] | uncompresses a blob |
//! | [`members`], [`sketch`] | what files are in it, and what they look like |
//! | [`library`] | all that the site has, and which of it a blob is like |
//! | [`matcher`] | how the bytes of one file come from another's |
//! | [`recognise`] | which encoder made its gzip stream |
//! | `compare`, [`make`](mod@make) | all of that, and the proof that it restores the blob |
//! | [`estimate`](mod@estimate), [`inspect`] | what a person wants to know before |
//!
//! | to restore the blob | |
//! | --- | --- |
//! | [`document`] | how a delta lies in a file |
//! | [`script`] | its instructions |
//! | [`restore`] | does what they say |

pub mod plain;
pub mod sketch;
pub mod members;
pub mod library;
pub mod matcher;
pub mod script;
pub mod document;
pub mod restore;
pub mod recognise;
mod compare;
pub mod make;
pub mod estimate;
pub mod inspect;
