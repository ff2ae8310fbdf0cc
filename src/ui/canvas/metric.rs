//! What the cards can be coloured by: which figure, in which unit, and where a value lies between the least and the most of
//! the open graph. Knows neither pointer nor painter.

use super::scene::{CardView, Scene};
use crate::text;

/// What the colour of a card stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Metric {
    /// The family of its layer.
    #[default]
    Kind,
    /// Planned bytes while training.
    Planned,
    /// The textbook's bytes while training.
    Ram,
    /// Trained and frozen parameters.
    Params,
    /// Multiply-adds.
    Macs,
    /// Receptive field.
    Field,
    /// Measured time.
    Time,
}

impl Metric {
    /// All, in the order of the menu.
    pub(super) const ALL: [Self; 7] =
        [Self::Kind, Self::Planned, Self::Ram, Self::Params, Self::Macs, Self::Field, Self::Time];

    /// Its name in the menu.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Kind => "Kind",
            Self::Planned => "Planned RAM",
            Self::Ram => "Textbook RAM",
            Self::Params => "Parameters",
            Self::Macs => "MACs",
            Self::Field => "Receptive field",
            Self::Time => "Measured time",
        }
    }

    /// What it means.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Kind => "Every card in the colour of its family, as in the palette",
            Self::Planned => "What each layer holds at the fullest moment of a training step of the whole batch",
            Self::Ram => "The textbook's bytes for training: outputs of the whole batch, and parameters",
            Self::Params => "Trained and frozen parameters",
            Self::Macs => "Multiply-adds for one image",
            Self::Field => "How much of the input one output value sees: the longer side in pixels",
            Self::Time => "Forward and backward time of one step, measured on the chosen device",
        }
    }

    /// The figure of a card; nothing where there is none, or where it is zero.
    pub(super) fn value(self, card: &CardView) -> Option<f64> {
        let figures = &card.figures;
        let value = match self {
            Self::Kind => return None,
            Self::Planned => figures.planned_bytes as f64,
            Self::Ram => figures.ram_bytes,
            Self::Params => figures.params as f64,
            Self::Macs => figures.macs as f64,
            Self::Field => figures.field_px as f64,
            Self::Time => figures.millis?,
        };
        (value > 0.0).then_some(value)
    }

    /// A figure with its unit.
    pub(super) fn text(self, value: f64) -> String {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive figures; saturates")]
        let whole = value.round() as u64;
        match self {
            Self::Kind => String::new(),
            Self::Planned | Self::Ram => text::bytes(whole),
            Self::Params => format!("{} params", text::short_count(whole)),
            Self::Macs => format!("{} MACs", text::short_count(whole)),
            Self::Field => format!("{} px", text::count(whole)),
            Self::Time if value < 0.01 => format!("{:.1} µs", value * 1_000.0),
            Self::Time => format!("{value:.2} ms"),
        }
    }
}

/// The least and the most of a figure over the open graph: the ends of the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Range {
    /// The range of a metric; `None` if no card has such a figure.
    pub(super) fn of(scene: &Scene, metric: Metric) -> Option<Self> {
        let values = scene.cards.iter().filter_map(|card| metric.value(card));
        values.fold(None, |range: Option<Self>, value| {
            let Self { least, most } = range.unwrap_or(Self { least: value, most: value });
            Some(Self { least: least.min(value), most: most.max(value) })
        })
    }

    /// Round numbers within the range, 1, 2 and 5 times a power of ten, with where they lie.
    pub(super) fn ticks(self) -> Vec<(f64, f32)> {
        if self.least <= 0.0 || self.most <= self.least {
            return Vec::new();
        }
        #[expect(clippy::cast_possible_truncation, reason = "the exponent of a figure")]
        let [low, high] = [self.least, self.most].map(|end| end.log10().floor() as i32);
        let round = (low..=high).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
        let within = round.filter(|tick| (self.least..=self.most).contains(tick));
        within.map(|tick| (tick, self.share(tick))).collect()
    }

    /// Where a value lies, 0 to 1, on a logarithmic scale: figures of layers differ by orders of magnitude.
    pub(super) fn share(self, value: f64) -> f32 {
        if self.most <= self.least {
            return 1.0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        let share = ((value / self.least).ln() / (self.most / self.least).ln()) as f32;
        share.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ten_times_the_least_lies_half_way_to_one_a_hundred_times_the_least() {
        let range = Range { least: 3.0, most: 300.0 };
        assert!((range.share(30.0) - 0.5).abs() < 1e-6);
        assert!(range.share(3.0).abs() < 1e-6 && (range.share(300.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let ticks = Range { least: 3.0, most: 300.0 }.ticks();
        let values: Vec<f64> = ticks.iter().map(|tick| tick.0).collect();
        assert_eq!(format!("{values:?}"), "[5.0, 10.0, 20.0, 50.0, 100.0, 200.0]");
        // log(30 / 3) / log(300 / 3) is one half; 10 and 100 lie log(10 / 3) / 2 = 0.261 and 0.761 along.
        assert!((ticks[1].1 - 0.261).abs() < 1e-3 && (ticks[4].1 - 0.761).abs() < 1e-3);
        assert!(Range { least: 7.0, most: 7.0 }.ticks().is_empty());
    }

    #[test]
    fn figures_carry_their_unit() {
        assert_eq!(Metric::Ram.text(6_000_000.0), "6.00 MB");
        assert_eq!(Metric::Macs.text(416_520.0), "416.52 k MACs");
        assert_eq!(Metric::Time.text(1.254), "1.25 ms");
        assert_eq!(Metric::Time.text(0.002), "2.0 µs");
    }
}
