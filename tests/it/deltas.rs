//! Deltas: layers that are shipped as what changed in them, and restored to the byte.

mod determinism;
mod estimates;
mod forms;
mod hostile;
mod images;
mod inspect;
mod recompress;
mod releases;
mod scenarios;
mod wrong_encoder;
