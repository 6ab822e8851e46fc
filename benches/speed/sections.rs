//! All sections, in the order in which they are measured.

use anyhow::Result;

use super::bench::Bench;
use super::table::Table;
use super::{balance, calls, cost, floor, memory, procedure, rerun, scale, sync};

/// One part of the benchmark.
pub(crate) struct Section {
    /// What it is called on the command line and in the table.
    pub(crate) name: &'static str,
    /// What it holds `bundle` against, for the help.
    pub(crate) about: &'static str,
    /// The programs that it needs.
    pub(crate) programs: &'static [&'static str],
    /// Measures, and prints its rows.
    pub(crate) run: fn(&Bench, &mut Table) -> Result<()>,
}

/// Every section there is.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "floor",
        about: "a verified conversion against the bare hash loop, and the bare read of a cold disk",
        programs: &[],
        run: floor::run,
    },
    Section {
        name: "procedure",
        about: "conversions against the shell procedure that is in use",
        programs: &["bash", "sha256sum"],
        run: procedure::run,
    },
    Section {
        name: "sync",
        about: "a verified conversion against skopeo sync into a registry",
        programs: &["skopeo", "docker-registry"],
        run: sync::run,
    },
    Section {
        name: "rerun",
        about: "a conversion that finds everything done against find over both trees",
        programs: &["find"],
        run: rerun::run,
    },
    Section {
        name: "scale",
        about: "time and memory of all that looks at trees of up to 100,000 images",
        programs: &["find"],
        run: scale::run,
    },
    Section { name: "balance", about: "one huge layer among small ones", programs: &[], run: balance::run },
    Section { name: "memory", about: "the memory that 8 GB of layers take", programs: &[], run: memory::run },
    Section {
        name: "calls",
        about: "system calls for each file of content",
        programs: &["strace", "bash", "sha256sum"],
        run: calls::run,
    },
    Section {
        name: "cost",
        about: "what an image, a file of content and a GB cost",
        programs: &[],
        run: cost::run,
    },
];
