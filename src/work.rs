//! Shares work among all threads, the largest piece first, so that none is left alone with it at the end, and
//! memory among pieces of work.

use std::cmp::Reverse;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

/// Does the work on every item, on the threads of the current pool; results come in the items' order.
pub fn largest_first<T: Sync, R: Send + Sync>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    each_largest_first(items, size, || (), |(), index| drop(results[index].set(work(&items[index]))));
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Does the work on every item, on the threads of the current pool, each of which adds up what it did.
pub fn fold_largest_first<T: Sync, A: Send>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    begin: impl Fn() -> A + Sync,
    work: impl Fn(A, &T) -> A + Sync,
) -> Vec<A> {
    each_largest_first(items, size, begin, |sum, index| work(sum, &items[index]))
}

/// Does the work on every item, on the threads of the current pool, and takes in what comes of it, in the items' order:
/// some at a time, so that what comes and what it becomes never lie in memory both.
pub fn some_at_a_time<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut take_in: impl FnMut(R),
) {
    const SOME: usize = 512;
    for items in items.chunks(SOME) {
        let done: Vec<R> = items.par_iter().map(&work).collect();
        done.into_iter().for_each(&mut take_in);
    }
}

/// Does two pieces of work at once, the second on threads of its own, as many as the current pool has; where that has one
/// thread, it does all the work, one piece after the other.
///
/// # Errors
/// When the system has no threads left.
pub fn beside<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> io::Result<(A, B)> {
    if rayon::current_num_threads() == 1 {
        return Ok((one(), other()));
    }
    let pool = ThreadPoolBuilder::new().num_threads(rayon::current_num_threads());
    let pool = pool.build().map_err(io::Error::other)?;
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || pool.install(other))?;
        let one = one();
        Ok((one, other.join().unwrap_or_else(|panic| resume_unwind(panic))))
    })
}

fn each_largest_first<T: Sync, A: Send>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    begin: impl Fn() -> A + Sync,
    work: impl Fn(A, usize) -> A + Sync,
) -> Vec<A> {
    let queue = Queue::largest_first(items, size);
    rayon::broadcast(|_| {
        let mut sum = begin();
        while let Some((_, index)) = queue.take() {
            sum = work(sum, index);
        }
        sum
    })
}

/// Pieces of work in the order in which threads take them.
pub struct Queue {
    order: Vec<u32>,
    next: AtomicUsize,
}

impl Queue {
    /// The largest first.
    #[must_use]
    pub fn largest_first<T>(items: &[T], size: impl Fn(&T) -> u64) -> Self {
        let mut order: Vec<u32> = (0..items.len() as u32).collect();
        order.sort_by_key(|&index| Reverse(size(&items[index as usize])));
        Self { order, next: AtomicUsize::new(0) }
    }

    /// The next one: its number in the order, and its index among the items.
    #[must_use]
    pub fn take(&self) -> Option<(usize, usize)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.order.get(number).map(|index| (number, *index as usize))
    }

    /// The indices of all items, in their order.
    pub fn order(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|index| *index as usize)
    }
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
