//! Runs that are cut short: whatever ends them, and wherever, what the destination shows is complete, and the
//! same command does the rest.

mod failing_calls;
mod kill;
mod scenario;
