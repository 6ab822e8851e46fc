//! The table that all sections print, row by row, as they are measured.

use std::fmt;

use super::runs::Runs;

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// This, or less.
    AtMost(f64),
    /// This, or more.
    AtLeast(f64),
}

impl Goal {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
        }
    }
}

/// A row: what `bundle` took for a piece of work, beside what it is held against.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// What is done.
    pub(crate) what: String,
    /// With how much.
    pub(crate) data: String,
    /// What `bundle` took; milliseconds where no unit is named.
    pub(crate) ours: String,
    /// The peer, or the floor.
    pub(crate) against: String,
    /// What that took.
    pub(crate) theirs: String,
    /// One divided by the other.
    pub(crate) ratio: Option<f64>,
    /// What the ratio has to be, if there is a goal.
    pub(crate) goal: Option<Goal>,
}

impl Row {
    /// A row that asks how many times the floor's time `bundle` takes.
    pub(crate) fn above_floor(what: &str, data: &str, ours: &Runs, against: &str, floor: &Runs) -> Self {
        Self {
            ratio: Some(ours.median() / floor.median()),
            ..Self::of_times(what, data, ours, against, floor)
        }
    }

    /// A row that asks how many times as fast as a peer `bundle` is.
    pub(crate) fn faster_than(what: &str, data: &str, ours: &Runs, against: &str, peer: &Runs) -> Self {
        Self { ratio: Some(peer.median() / ours.median()), ..Self::of_times(what, data, ours, against, peer) }
    }

    /// The same row with a goal.
    pub(crate) fn with_goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    fn of_times(what: &str, data: &str, ours: &Runs, against: &str, theirs: &Runs) -> Self {
        Self {
            what: what.to_owned(),
            data: data.to_owned(),
            ours: ours.to_string(),
            against: against.to_owned(),
            theirs: theirs.to_string(),
            ..Self::default()
        }
    }
}

/// The table so far, and what is to be said below it.
pub(crate) struct Table {
    section: &'static str,
    notes: Vec<String>,
    goals: usize,
    goals_held: usize,
}

impl Table {
    /// Prints the table's head.
    pub(crate) fn begin() -> Self {
        let cells = ["what", "data", "ours", "against", "theirs", "ratio", "goal", "holds"];
        print_cells("section", &cells.map(str::to_owned));
        print_cells("---", &["---", "---", "---:", "---", "---:", "---:", "---", "---"].map(str::to_owned));
        Self { section: "", notes: Vec::new(), goals: 0, goals_held: 0 }
    }

    /// Says to which section the next rows belong.
    pub(crate) fn enter(&mut self, section: &'static str) {
        self.section = section;
    }

    /// Prints a row.
    pub(crate) fn print(&mut self, row: Row) {
        let holds = row.goal.map(|goal| row.ratio.is_some_and(|ratio| goal.holds(ratio)));
        self.goals += usize::from(holds.is_some());
        self.goals_held += usize::from(holds == Some(true));
        let ratio = row.ratio.map_or(String::new(), |ratio| {
            let decimals = if ratio < 10.0 { 3 } else { 1 };
            format!("{ratio:.decimals$}")
        });
        let goal = row.goal.map_or(String::new(), |goal| goal.to_string());
        let holds = holds.map_or("", |holds| if holds { "yes" } else { "no" });
        let Row { what, data, ours, against, theirs, .. } = row;
        print_cells(self.section, &[what, data, ours, against, theirs, ratio, goal, holds.to_owned()]);
    }

    /// Remembers what is to be said below the table.
    pub(crate) fn note(&mut self, text: impl fmt::Display) {
        let about = if self.section.is_empty() { String::new() } else { format!("{}: ", self.section) };
        self.notes.push(format!("{about}{text}"));
    }

    /// Prints what was to be said below it.
    pub(crate) fn end(self) {
        println!("\nTimes are medians in ms (fastest–slowest); MB = 10^6 bytes, MiB = 2^20.\n");
        for note in &self.notes {
            println!("- {note}");
        }
        println!("- {} of {} goals hold\n", self.goals_held, self.goals);
    }
}

fn print_cells(section: &str, [what, data, ours, against, theirs, ratio, goal, holds]: &[String; 8]) {
    println!(
        "| {section:<9} | {what:<37} | {data:<40} | {ours:>38} | {against:<35} | {theirs:>28} | {ratio:>6} | {goal:<7} | {holds:<5} |"
    );
}
