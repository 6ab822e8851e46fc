//! How often symbols come.

use super::symbols::FIRST_LENGTH;

/// How many symbols there are up to the last one that comes.
pub(crate) fn used(frequencies: &[u32]) -> usize {
    frequencies.iter().rposition(|frequency| *frequency > 0).map_or(0, |last| last + 1)
}

/// How often each byte comes.
pub(crate) fn histogram(plain: &[u8]) -> [u32; FIRST_LENGTH] {
    // Bytes of one kind in a row would wait for each other.
    let mut counts = [[0_u32; 256]; 4];
    let (fours, rest) = plain.as_chunks::<4>();
    for four in fours {
        for (counts, byte) in counts.iter_mut().zip(four) {
            counts[usize::from(*byte)] += 1;
        }
    }
    rest.iter().for_each(|byte| counts[0][usize::from(*byte)] += 1);
    let mut frequencies = [0; FIRST_LENGTH];
    for counts in &counts {
        frequencies.iter_mut().zip(counts).for_each(|(frequency, count)| *frequency += count);
    }
    frequencies
}
