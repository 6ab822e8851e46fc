//! How fast whole commands of `bundle` are, each beside what else does that work, or beside what no program can do
//! without.
//!
//! Every section is a goal in a file of its own, and prints its part of one table: how long, what it is held
//! against, and whether the goal holds. Sizes are generated, contenders take turns, each into a fresh destination
//! after all that was written before is on the disk; nothing is timed before its result was checked. `bundle` waits
//! until its work is on the disk, and that time counts; its peers leave it to the kernel.
//!
//! ```text
//! scripts/bench
//! cargo bench --bench speed -- floor sync --rounds 9 --dir /srv/scratch
//! cargo bench --bench speed -- --quick
//! ```

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "the rest is for the other benchmarks")]
mod support;

#[path = "speed/mod.rs"]
mod speed;

use std::time::{Duration, Instant};

use anyhow::Result;

use speed::arguments::Arguments;
use speed::bench::Bench;
use speed::sections::SECTIONS;
use speed::table::Table;
use speed::{launch, machine, programs};

/// How long the disk is left alone after all that a section wrote was removed: some are slow for a while then.
const CALM: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == launch::RUN) {
        return launch::answer(&words.skip(1).collect::<Vec<_>>());
    }
    let Some(arguments) = Arguments::parse(words)? else {
        println!("{}", speed::arguments::usage());
        return Ok(());
    };
    let sections = || SECTIONS.iter().filter(|section| arguments.sections.contains(&section.name));
    let needed: Vec<_> = sections().flat_map(|section| section.programs.iter().copied()).collect();
    programs::check(&needed)?;

    let bench = Bench::new(&arguments.dir, arguments.rounds, arguments.quick)?;
    let mut table = Table::begin();
    if arguments.quick {
        table.note("--quick: sizes are small, so these figures show that it runs, and nothing else");
    }
    for (number, section) in sections().enumerate() {
        table.enter(section.name);
        if number > 0 && !arguments.quick {
            std::thread::sleep(CALM);
        }
        let start = Instant::now();
        (section.run)(&bench, &mut table)?;
        eprintln!("{} took {:.0} s", section.name, start.elapsed().as_secs_f64());
    }
    table.end();
    println!("{}\n", machine::line(&bench.dir)?);
    programs::print_versions(&needed)
}
