//! Where the marks of an axis stand: as many as there is room for, at round numbers of what is counted.

use super::series::Along;
use egui_plot::{GridInput, GridMark};

/// Points that egui_plot puts between two of its finest lines.
const FINEST: f64 = 8.0;
/// Room for a number, and for a time, in points.
const NUMBER: f64 = 46.0;
const TIME: f64 = 72.0;
/// The same upwards, where a number needs only its height.
const HEIGHT: f64 = 22.0;
/// Seconds between marks that people count in.
const SECONDS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];

/// The marks of the part of an x axis that is seen.
pub(super) fn marks(input: &GridInput, along: Along) -> Vec<GridMark> {
    let room = if along == Along::Time { TIME } else { NUMBER };
    every(step(input.base_step_size / FINEST * room, along), input)
}

/// The marks of the part of a y axis that is seen.
pub(super) fn heights(input: &GridInput) -> Vec<GridMark> {
    every(round(input.base_step_size / FINEST * HEIGHT), input)
}

fn every(step: f64, input: &GridInput) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    // The bounds of a chart without values are no numbers.
    if !(step.is_finite() && step > 0.0 && from.is_finite() && to.is_finite()) || (to - from) / step > 1_000.0 {
        return Vec::new();
    }
    // Of a range that is tiny beside its values, a mark and the next one may be the same number: they are counted, not added up.
    let first = (from / step).ceil();
    let values = (0..=1_000_u16).map(|nth| (first + f64::from(nth)) * step).take_while(|value| *value <= to);
    let mut marks: Vec<GridMark> = values.map(|value| GridMark { value, step_size: step }).collect();
    marks.dedup_by(|a, b| a.value <= b.value);
    marks
}

/// The smallest round step that is at least so large.
fn step(least: f64, along: Along) -> f64 {
    match along {
        Along::Time if least <= 86_400.0 => SECONDS.into_iter().find(|step| *step >= least).unwrap_or(86_400.0),
        Along::Step => round(least).max(1.0),
        Along::Time | Along::Epoch => round(least),
    }
}

/// 1, 2 or 5 times a power of ten.
fn round(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= least * 0.999).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks over a range that is so many points wide.
    fn values(to: f64, width: f64, along: Along) -> Vec<f64> {
        let input = GridInput { bounds: (0.0, to), base_step_size: to / width * FINEST };
        marks(&input, along).into_iter().map(|mark| mark.value).collect()
    }

    #[test]
    fn a_chart_of_ordinary_width_has_a_number_at_least_every_hundred_points() {
        // 12 epochs over 400 points: 33 points an epoch, so every second one has a number.
        assert_eq!(values(12.0, 400.0, Along::Epoch), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        for to in [1.0, 3.0, 7.0, 12.0, 50.0, 99.0, 1_013.0, 9_999.0] {
            for along in [Along::Epoch, Along::Step] {
                let found = values(to, 400.0, along);
                assert!((2..=9).contains(&found.len()) || to < 2.0, "{to}: {found:?}");
            }
        }
    }

    #[test]
    fn a_low_chart_of_shares_has_more_than_its_top() {
        // 0 to 100 % over 120 points: 22 points are 18.3 %, so every 20 %.
        let input = GridInput { bounds: (0.0, 100.0), base_step_size: 100.0 / 120.0 * FINEST };
        let found: Vec<f64> = heights(&input).into_iter().map(|mark| mark.value).collect();
        assert_eq!(found, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }

    /// A curve of one value: the range around it is smaller than the distance to the next number that there is.
    #[test]
    fn a_range_too_small_for_its_values_has_few_marks_and_ends() {
        for (from, to, base) in [(1.0, 1.0, 1e-18), (2.3, 2.3 + 1e-15, 1e-17), (-7e20, -7e20, 1e-3), (0.0, 0.0, 1e-300)]
        {
            let found = heights(&GridInput { bounds: (from, to), base_step_size: base });
            assert!(found.len() <= 1_001, "{} marks from {from} to {to}", found.len());
            assert!(found.windows(2).all(|pair| pair[0].value < pair[1].value));
        }
    }

    #[test]
    fn steps_are_whole_and_times_are_round() {
        assert_eq!(values(3.0, 400.0, Along::Step), [0.0, 1.0, 2.0, 3.0]);
        // Ten minutes over 400 points: 72 points are 108 s, so two minutes.
        assert_eq!(values(600.0, 400.0, Along::Time), [0.0, 120.0, 240.0, 360.0, 480.0, 600.0]);
        assert!(values(f64::NAN, 400.0, Along::Epoch).is_empty());
    }
}
