//! A conversion beside the shell procedure that people ran before it: verified never slower, unverified 50 times as
//! fast; and beside the bare calls that make the same storage, which say how fast that can be.

use anyhow::Result;

use super::bench::Bench;
use super::conversion::{self, NO_VERIFY, check, fresh};
use super::disk;
use super::launch::{Words, measured};
use super::making::Making;
use super::runs::take_turns;
use super::table::{Goal, Row, Table};
use crate::support::images::usual;

/// How many images, and the size of an image's own layer, which is the smaller one of its four but for settings.
const SIZES: &[(usize, u64)] = &[(50, 1 << 20), (200, 1 << 20), (1000, 1 << 19)];
/// The same for a run that only shows that everything works.
const SMALL_SIZES: &[(usize, u64)] = &[(10, 1 << 18), (50, 1 << 16)];

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let mut kept = Vec::new(); // until all is measured: removing it wears on the runs that follow
    for &(count, layer_bytes) in bench.pick(SIZES, SMALL_SIZES) {
        let made = bench.make(&usual(count, layer_bytes), 4 * bench.rounds + 4)?;
        let root = made.root();
        let verified = || fresh(root, "verified", &[]);
        let unverified = || fresh(root, "unverified", &[NO_VERIFY]);
        let published = || {
            disk::make_way(root, "published")?;
            disk::sync(root)?;
            measured(&conversion::published(root, "published"), Words::Fault)
        };
        // This also warms the page cache, so that the first round is like the others.
        verified()?;
        unverified()?;
        published()?;
        let making = Making::of(root, "unverified")?;
        let bare = || making.again(root, "bare");
        bare()?;
        for (destination, by) in [
            ("verified", "bundle"),
            ("unverified", "bundle --no-verify"),
            ("published", "the procedure"),
            ("bare", "the bare calls"),
        ] {
            check(root, destination, &made.tree, by)?;
        }
        let [verified, unverified, published, bare] = take_turns(
            bench.rounds,
            [Box::new(verified), Box::new(unverified), Box::new(published), Box::new(bare)],
        )?;
        let data = made.data();
        let what = "to-registry --no-verify";
        for (what, ours, goal) in [("to-registry", &verified, 1.0), (what, &unverified, 50.0)] {
            let row = Row::faster_than(what, &data, ours, "shell procedure", &published);
            table.print(row.with_goal(Goal::AtLeast(goal)));
        }
        table.print(Row::above_floor(what, &data, &unverified, "bare calls, all cores, synced", &bare));
        table.print(Row::faster_than("the bare calls", &data, &bare, "shell procedure", &published));
        kept.push(made);
    }
    Ok(())
}
