//! Seeds: one number out of several (seed, epoch, index, step …), and generators made from it.
//!
//! Everything random in the program is a function of such numbers, so nothing random has to be stored. Knows nothing
//! of what the numbers are for.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output of `SplitMix64` for one state.
///
/// # Source
/// Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"; constants of Stafford's mix 13.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Mixes words into one: starts from their count and, for each, takes `SplitMix64` of (state xor word).
///
/// Order and number of the words count: `mix(&[1, 2])`, `mix(&[2, 1])` and `mix(&[1, 2, 0])` are unrelated.
pub fn mix(words: &[u64]) -> u64 {
    words.iter().fold(words.len() as u64, |state, &word| split_mix(state ^ word))
}

/// The word of a text, such as a parameter's path: 64-bit FNV-1a of its bytes.
pub fn text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A generator for these words: `ChaCha8` keyed with four `SplitMix64` outputs. The same on every machine.
pub fn generator(words: &[u64]) -> ChaCha8Rng {
    let start = mix(words);
    let mut key = [0_u8; 32];
    for (i, part) in (0_u64..).zip(key.chunks_exact_mut(8)) {
        part.copy_from_slice(&split_mix(start.wrapping_add(i.wrapping_mul(GOLDEN))).to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn split_mix_gives_the_published_sequence() {
        // Published outputs for the seed 1234567 (Rosetta Code, "Pseudo-random numbers/Splitmix64").
        let mut state = 1_234_567_u64;
        let mut outputs = Vec::new();
        for _ in 0..3 {
            outputs.push(split_mix(state));
            state = state.wrapping_add(GOLDEN);
        }
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn text_gives_the_published_fnv_values() {
        // Test vectors of draft-eastlake-fnv: FNV-1a, 64 bit.
        assert_eq!(text(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(text("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(text("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn order_and_number_of_words_count() {
        let all = [mix(&[1, 2]), mix(&[2, 1]), mix(&[1, 2, 0]), mix(&[]), mix(&[0]), mix(&[0, 0])];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b), "{all:?}");
        }
    }

    #[test]
    fn the_same_words_give_the_same_generator() {
        let draw = |words: &[u64]| -> Vec<u32> {
            let mut generator = generator(words);
            (0..8).map(|_| generator.random()).collect()
        };
        assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
        assert_ne!(draw(&[1, 2]), draw(&[1, 3]));
    }
}
