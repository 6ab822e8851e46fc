//! Packing and applying that is cut short, by `kill -9`, by a signal, by a disk that fails, or by a source that
//! changes: what is there afterwards is as before or complete, and the same command does the rest.

mod apply;
mod changing;
mod failing;
mod pack;
mod scenario;
mod signals;
