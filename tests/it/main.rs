//! The tests that drive the built `bundle` program, next to the real skopeo, registry and umoci.
//!
//! One test crate with a module for each behaviour, so that the harness in `support` is compiled once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics, and the panic names the line")]

mod architecture;
mod archives;
mod changing;
mod choice;
mod crash;
mod dedupe;
mod deltas;
mod faults;
mod fidelity;
mod foreign;
mod harness;
mod hostile;
mod layouts;
mod lists;
mod live;
mod locks;
mod names;
mod nesting;
mod ownership;
mod package_kills;
mod packages;
mod prune;
mod readme;
mod removal;
mod room;
mod round_trip;
mod sharing;
mod signals;
mod stats;
mod support;
mod sweep;
mod verify;
mod volumes;
