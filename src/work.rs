//! Shares work among all threads, the largest piece first, so that none is left alone with it at the end.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};

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
