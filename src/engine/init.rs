//! Initial weights: drawn by our own generator from the seed and the parameter's path, the same on every device.
//!
//! The stream of a parameter is `ChaCha8` keyed with 32 bytes: the seed (8, little endian), the FNV-1a hash of the path
//! (8, little endian) and the text `striate init v1\0` (16). Two parameters therefore never share a stream, and adding a
//! layer leaves the weights of all others as they were. A uniform number is (u + ½) / 2³² of the next 32 bits; normal
//! numbers are Box and Muller's, both of a pair used.

use crate::op::{ParamSpec, Start};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The initial values of a parameter, in the layout of its spec.
pub(super) fn initial_values(spec: &ParamSpec, seed: u64) -> Vec<f32> {
    let count = super::host::size(spec.elements());
    let mut stream = Stream::new(seed, &spec.path);
    #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit")]
    match spec.start {
        Start::Constant(value) => vec![value as f32; count],
        Start::Uniform(limit) => (0..count).map(|_| ((2.0 * stream.unit() - 1.0) * limit) as f32).collect(),
        Start::Normal(sigma) => {
            let mut values = Vec::with_capacity(count + 1);
            while values.len() < count {
                let radius = (-2.0 * stream.unit().ln()).sqrt() * sigma;
                let angle = std::f64::consts::TAU * stream.unit();
                values.push((radius * angle.cos()) as f32);
                values.push((radius * angle.sin()) as f32);
            }
            values.truncate(count);
            values
        }
    }
}

struct Stream(ChaCha8Rng);

impl Stream {
    fn new(seed: u64, path: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(path.as_bytes()).to_le_bytes());
        key[16..].copy_from_slice(b"striate init v1\0");
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Between zero and one, both excluded.
    fn unit(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The device's seed for one micro-step: `SplitMix64`'s finaliser over the three numbers in turn.
pub(super) fn step_seed(seed: u64, step: u64, micro: u64) -> u64 {
    [step, micro].into_iter().fold(finalise(seed), |hash, n| finalise(hash ^ finalise(n)))
}

fn finalise(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ParamRole;

    fn values(path: &str, start: Start, seed: u64) -> Vec<f32> {
        let spec = ParamSpec {
            path: path.into(),
            shape: vec![100, 100],
            role: ParamRole::Weight,
            start,
            trainable: true,
            decays: true,
            op: 0,
        };
        initial_values(&spec, seed)
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        (mean, (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn hashes_are_the_published_ones() {
        // FNV reference: fnv1a64("a") = af63dc4c8601ec8c, fnv1a64("foobar") = 85944171f73967e8.
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        // SplitMix64 seeded with 0 starts with e220a8397b1dcdaf (Vigna's reference code).
        assert_eq!(finalise(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn uniform_weights_fill_their_range_evenly() {
        // 10,000 numbers in ±0.5: mean 0 ± 0.5/√3/100 = 0.0029, deviation 0.5/√3 = 0.2887; four sigma allowed.
        let drawn = values("conv1.weight", Start::Uniform(0.5), 7);
        let (mean, deviation) = moments(&drawn);
        assert!(mean.abs() < 0.012 && (deviation - 0.2887).abs() < 0.006, "{mean} {deviation}");
        assert!(drawn.iter().all(|v| v.abs() <= 0.5));
        assert!(drawn.iter().any(|&v| v > 0.49) && drawn.iter().any(|&v| v < -0.49));
    }

    #[test]
    fn normal_weights_have_their_deviation() {
        // Error of the mean 0.02/100, of the deviation 0.02/√20000; four sigma allowed. 68.27 % lie within one sigma.
        let drawn = values("conv1.weight", Start::Normal(0.02), 7);
        let (mean, deviation) = moments(&drawn);
        assert!(mean.abs() < 0.0008 && (deviation - 0.02).abs() < 0.0006, "{mean} {deviation}");
        let within = drawn.iter().filter(|v| v.abs() < 0.02).count();
        assert!((6600..7050).contains(&within), "{within}");
    }

    #[test]
    fn weights_depend_on_seed_and_path_and_on_nothing_else() {
        let start = Start::Uniform(1.0);
        assert_eq!(values("a.weight", start, 1), values("a.weight", start, 1));
        assert_ne!(values("a.weight", start, 1), values("a.weight", start, 2));
        assert_ne!(values("a.weight", start, 1), values("b.weight", start, 1));
        assert_ne!(step_seed(1, 2, 0), step_seed(1, 0, 2));
    }
}
