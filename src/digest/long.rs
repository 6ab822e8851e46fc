//! Digests of more than 256 bits, each held once for as long as the program runs.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::Algorithm;

/// A hash of more than 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Long {
    Sha384([u8; 48]),
    Sha512([u8; 64]),
}

/// The number of such a hash; one hash has one number. In bytes, so that it needs no alignment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Interned([u8; 4]);

#[derive(Default)]
struct Table {
    hashes: Vec<&'static Long>,
    numbers: HashMap<&'static Long, u32>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

impl Long {
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha384(_) => Algorithm::Sha384,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }
}

impl Interned {
    pub(super) fn of(long: Long) -> Self {
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        let number = match table.numbers.get(&long) {
            Some(number) => *number,
            None => {
                let number = table.hashes.len() as u32;
                let held: &'static Long = Box::leak(Box::new(long));
                table.hashes.push(held);
                table.numbers.insert(held, number);
                number
            }
        };
        Self(number.to_ne_bytes())
    }

    pub(super) fn get(self) -> &'static Long {
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        table.hashes[u32::from_ne_bytes(self.0) as usize]
    }
}
