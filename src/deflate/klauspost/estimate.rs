//! About how long a block with codes of its own would be.

use crate::deflate::go::symbols::END;
use crate::deflate::go::tokens::Tokens;

/// About how many bits tokens would take with codes of their own, of which there may be parts of a bit.
///
/// `end` is whether the end of the block is among the tokens, which are then one more. Every step is rounded
/// to 32 bits by itself, in this order.
pub(super) fn estimated_bits(tokens: &Tokens, end: bool) -> usize {
    let literals = tokens.literal_frequencies();
    let (bytes, lengths) = literals.split_at(END + 1);
    let matches: u32 = lengths.iter().sum();
    let total = tokens.all().len() + usize::from(end);
    // The end of the block is taken for 15 bits.
    let shannon = add_estimates(0.0, bytes, total as f32) + 15.0;
    let shannon = add_estimates(shannon, lengths, total as f32);
    let shannon = add_estimates(shannon, &tokens.offset_frequencies(), matches as f32);
    shannon as usize + tokens.extra_bits()
}

/// Adds what symbols of given frequencies take to what others do.
fn add_estimates(mut bits: f32, frequencies: &[u32], total: f32) -> f32 {
    let share = 1.0 / total;
    for frequency in frequencies.iter().filter(|frequency| **frequency > 0) {
        let frequency = *frequency as f32;
        bits += (-logarithm(frequency * share)).clamp(1.0, 15.0) * frequency;
    }
    bits
}

/// Nearly the logarithm to the base 2: the exponent, and a parabola for the rest.
fn logarithm(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xff) as f32 - 128.0;
    let rest = f32::from_bits((bits & 0x807f_ffff) + (127 << 23));
    exponent + (((-0.344_848_43 * rest) + 2.024_665_8) * rest - 0.674_877_6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A processor or a compiler that fused a multiplication with an addition would estimate otherwise.
    #[test]
    fn estimates_are_rounded_step_by_step() {
        let steps = |value: f32| {
            let square = -0.344_848_43_f32 * value;
            let line = square + 2.024_665_8_f32;
            let product = line * value;
            let rest = product - 0.674_877_6_f32;
            rest - 1.0
        };
        let mut differs = 0;
        for thousandths in 1000..2000_u16 {
            let value = f32::from(thousandths) / 1000.0;
            assert_eq!(logarithm(value).to_bits(), steps(value).to_bits());
            let fused = (-0.344_848_43_f32).mul_add(value, 2.024_665_8).mul_add(value, -0.674_877_6) - 1.0;
            differs += u16::from(fused.to_bits() != steps(value).to_bits());
        }
        assert!(differs > 100);
    }
}
