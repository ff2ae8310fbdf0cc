//! The learning-rate range test: which rate makes the loss fall fastest, read off a short training whose rate grows.
//!
//! # Source
//! Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3; the smoothing and the end of the
//! search are fastai's (`LRFinder`: exponential ramp, stop at four times the lowest smoothed loss).

use super::protocol::{RateAdvice, RatePoint};

/// Weight of the past in the smoothed loss. fastai's 0.98 is for its longer ramps; over 100 steps it would lag a decade.
const SMOOTHING: f64 = 0.9;
/// How far above the lowest the loss may rise before it counts as running away.
const RUNAWAY: f64 = 4.0;
/// Steps at the start that are too noisy to judge.
const WARM_UP: usize = 10;

/// A search under way.
#[derive(Clone, Debug)]
pub(super) struct Ramp {
    lowest: f64,
    highest: f64,
    steps: u32,
    average: f64,
    weight: f64,
    best: f64,
    points: Vec<RatePoint>,
    diverged_at: Option<f64>,
}

impl Ramp {
    /// A ramp from one rate to another.
    pub(super) fn new(lowest: f64, highest: f64, steps: u32) -> Self {
        let lowest = if lowest.is_finite() { lowest.max(1e-12) } else { 1e-7 };
        let highest = if highest.is_finite() { highest.max(lowest * 10.0) } else { 10.0 };
        let steps = steps.clamp(10, 10_000);
        Self {
            lowest,
            highest,
            steps,
            average: 0.0,
            weight: 0.0,
            best: f64::INFINITY,
            points: Vec::new(),
            diverged_at: None,
        }
    }

    /// Rate of the next step; none once the search is over.
    pub(super) fn next_rate(&self) -> Option<f64> {
        let at = self.points.len();
        if self.diverged_at.is_some() || at >= self.steps as usize {
            return None;
        }
        let share = at as f64 / f64::from(self.steps - 1);
        Some(self.lowest * (self.highest / self.lowest).powf(share))
    }

    /// Takes the loss that was found at a rate.
    pub(super) fn take(&mut self, rate: f64, loss: f64) {
        if !loss.is_finite() {
            self.diverged_at = Some(rate);
            return;
        }
        self.average = SMOOTHING * self.average + (1.0 - SMOOTHING) * loss;
        self.weight = SMOOTHING * self.weight + (1.0 - SMOOTHING);
        let smooth = self.average / self.weight;
        self.points.push(RatePoint { rate, loss, smooth });
        if self.points.len() > WARM_UP && smooth > RUNAWAY * self.best {
            self.diverged_at = Some(rate);
        }
        self.best = self.best.min(smooth);
    }

    /// Steps of the whole ramp.
    pub(super) fn steps(&self) -> u32 {
        self.steps
    }

    /// What was found so far.
    pub(super) fn points(&self) -> &[RatePoint] {
        &self.points
    }

    /// What it says.
    pub(super) fn advice(&self) -> Option<RateAdvice> {
        advice(&self.points, self.diverged_at)
    }
}

/// Reads the rates off a curve: where the smoothed loss falls steepest over the logarithm of the rate, and where it is
/// lowest. Suggested is the steepest, but never more than a third of the lowest point's rate, beyond which it turns.
fn advice(points: &[RatePoint], diverged_at: Option<f64>) -> Option<RateAdvice> {
    let judged = points.get(WARM_UP..)?;
    let (at, lowest) = judged.iter().enumerate().min_by(|a, b| a.1.smooth.total_cmp(&b.1.smooth))?;
    let start = judged.first()?.smooth;
    // A loss that never falls by a twentieth has no slope worth following.
    if lowest.smooth > 0.95 * start {
        return None;
    }
    let falling = judged.get(..=at)?;
    let slope = |from: &RatePoint, to: &RatePoint| (to.smooth - from.smooth) / (to.rate / from.rate).ln();
    // A window of five steps: neighbours alone follow the noise.
    let steepest = falling
        .windows(5)
        .filter_map(|window| Some((slope(window.first()?, window.last()?), window.get(2)?.rate)))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(lowest.rate / 10.0, |(_, rate)| rate);
    let suggested = one_digit(steepest.min(lowest.rate / 3.0));
    Some(RateAdvice { suggested, steepest, lowest: lowest.rate, diverged_at })
}

/// Rounded to one digit, as people write rates: 0.00287 becomes 0.003.
fn one_digit(rate: f64) -> f64 {
    format!("{rate:.0e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made curve: flat at 2.3 up to 1e-4, falling as a logistic around 1e-2 to 0.5, running away from 1 on.
    fn loss(rate: f64) -> f64 {
        let at = rate.log10();
        2.3 - 1.8 / (1.0 + (-(at + 2.0) * 4.0).exp()) + if at > 0.0 { 60.0 * at } else { 0.0 }
    }

    fn search(loss: impl Fn(f64) -> f64) -> Ramp {
        let mut ramp = Ramp::new(1e-7, 10.0, 100);
        while let Some(rate) = ramp.next_rate() {
            ramp.take(rate, loss(rate));
        }
        ramp
    }

    #[test]
    fn the_steepest_fall_of_a_known_curve_is_found_and_the_runaway_ends_the_search() {
        let ramp = search(loss);
        let advice = ramp.advice().unwrap();
        // The logistic is steepest at 1e-2; smoothing over ten steps of 0.08 decades may lag by half a decade.
        assert!((5e-3..=5e-2).contains(&advice.steepest), "{advice:?}");
        assert!((0.03..=1.5).contains(&advice.lowest), "{advice:?}");
        assert!(advice.suggested <= advice.lowest / 3.0 + 1e-2, "{advice:?}");
        let end = advice.diverged_at.unwrap();
        assert!(end > 1.0 && end < 3.0, "{advice:?}");
        assert!(ramp.points().len() < 100);
    }

    #[test]
    fn rates_grow_by_the_same_factor_from_the_first_to_the_last() {
        let mut ramp = Ramp::new(1e-5, 1.0, 11);
        let mut rates = Vec::new();
        while let Some(rate) = ramp.next_rate() {
            rates.push(rate);
            ramp.take(rate, 1.0);
        }
        // Five decades in ten steps: half a decade each.
        assert_eq!(rates.len(), 11);
        assert!((rates[0] - 1e-5).abs() < 1e-18 && (rates[10] - 1.0).abs() < 1e-12);
        assert!(rates.windows(2).all(|pair| (pair[1] / pair[0] - 10_f64.sqrt()).abs() < 1e-9));
    }

    #[test]
    fn a_loss_that_never_falls_gives_no_advice_and_one_that_is_no_number_ends_the_search() {
        assert_eq!(search(|_| 2.3).advice(), None);
        let ramp = search(|rate| if rate > 1e-3 { f64::NAN } else { 2.0 });
        assert!(ramp.points().last().unwrap().rate <= 1e-3 && ramp.advice().is_none());
    }

    #[test]
    fn suggestions_have_one_digit() {
        assert_eq!((one_digit(0.002_87), one_digit(0.098), one_digit(1.4)), (0.003, 0.1, 1.0));
    }
}
