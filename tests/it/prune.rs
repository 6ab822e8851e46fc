//! Storage that is pruned: all that is wanted stays, byte for byte, and is served; everything else is gone.

mod damaged;
mod kept;
mod kills;
mod odd;
mod pushed;
mod refused;
mod site;
mod young;
