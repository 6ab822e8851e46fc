//! Shares work among all threads, the largest piece first, so that none is left alone with it at the end, and
//! memory among pieces of work.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Does the work on every item, on the threads of the current pool; results come in the items' order.
pub fn largest_first<T: Sync, R: Send>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&index| Reverse(size(&items[index])));
    let next = AtomicUsize::new(0);
    let done = rayon::broadcast(|_| {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, work(&items[index])));
        }
        done
    });
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Memory that pieces of work share: one waits until the others leave it enough.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    left: Mutex<u64>,
    freed: Condvar,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self { most, left: Mutex::new(most), freed: Condvar::new() }
    }

    /// Does work that takes so many bytes of memory; what takes more than there is does it alone.
    pub fn with<R>(&self, need: u64, work: impl FnOnce() -> R) -> R {
        let need = need.min(self.most);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left =
            self.freed.wait_while(left, |left| *left < need).unwrap_or_else(PoisonError::into_inner);
        *left -= need;
        drop(left);
        let result = work();
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) += need;
        self.freed.notify_all();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_items_order() {
        let items: Vec<u64> = (0..1000).map(|n| n * 7919 % 1000).collect();
        assert_eq!(largest_first(&items, |item| *item, |item| item + 1), {
            items.iter().map(|item| item + 1).collect::<Vec<_>>()
        });
    }
}
