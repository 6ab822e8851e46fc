//! Work that is done at many points, a few at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many of some things, evenly, the first and the last among them; all of them, if there are not more.
pub(crate) fn spread<T: Clone>(things: &[T], most: usize) -> Vec<T> {
    let most = most.min(things.len());
    let last = things.len().saturating_sub(1);
    (0..most).map(|number| things[number * last / most.saturating_sub(1).max(1)].clone()).collect()
}

/// Does all the work, with as many workers as pay; each is told the name of its own place. Fails with all
/// complaints, or returns the answers in the order of the work.
pub(crate) fn sweep<W: Sync, A: Send>(
    work: &[W],
    describe: impl Fn(&W) -> String,
    at: impl Fn(&str, usize, &W) -> Result<A, String> + Sync,
) -> Vec<A> {
    const WORKERS: usize = 2;
    let next = AtomicUsize::new(0);
    let work_at = |place: &str| {
        let mut answers = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(work) = work.get(number) else { return answers };
            answers.push((number, at(place, number, work)));
        }
    };
    let mut answers: Vec<_> = thread::scope(|scope| {
        let work_at = &work_at;
        let workers: Vec<_> =
            (0..WORKERS).map(|worker| scope.spawn(move || work_at(&format!("place-{worker}")))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    answers.sort_by_key(|(number, _)| *number);
    let complaints: Vec<_> = answers
        .iter()
        .filter_map(|(number, answer)| Some((number, answer.as_ref().err()?)))
        .map(|(number, why)| format!("{}: {why}", describe(&work[*number])))
        .collect();
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        work.len(),
        complaints.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    answers.into_iter().map(|(_, answer)| answer.unwrap()).collect()
}
