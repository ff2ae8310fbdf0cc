//! Curves of runs as charts draw them: built once, extended when steps come in, thinned to what a screen can show.
//!
//! Knows no widgets. The best epoch is kept apart from the lines, so that thinning never loses it.

use crate::ui::runs::{EpochPoint, RunView, StepPoint};
use egui_plot::PlotPoint;
use std::path::PathBuf;

/// What stands on the x axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Along {
    /// Steps.
    Step,
    /// Epochs, as a fraction.
    #[default]
    Epoch,
    /// Seconds of training.
    Time,
}

impl Along {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Epoch, Self::Step, Self::Time];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Epoch => "Epochs",
            Self::Step => "Steps",
            Self::Time => "Time",
        }
    }
}

/// What a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Loss,
    Accuracy,
    Rate,
    Norm,
}

impl What {
    /// All charts in their order.
    pub(super) const ALL: [Self; 4] = [Self::Loss, Self::Accuracy, Self::Rate, Self::Norm];

    fn of_step(self, step: &StepPoint) -> f64 {
        match self {
            Self::Loss => step.loss,
            Self::Accuracy => step.accuracy * 100.0,
            Self::Rate => step.learning_rate,
            Self::Norm => step.grad_norm,
        }
    }

    fn of_epoch(self, epoch: &EpochPoint) -> f64 {
        match self {
            Self::Loss => epoch.loss,
            Self::Accuracy => epoch.accuracy * 100.0,
            Self::Rate | Self::Norm => f64::NAN,
        }
    }

    /// Whether it has a line for validation and is worth smoothing.
    pub(super) fn is_noisy(self) -> bool {
        self != Self::Rate
    }

    /// Whether a logarithmic axis makes sense.
    pub(super) fn can_log(self) -> bool {
        self != Self::Accuracy
    }
}

/// How all curves are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// The x axis.
    pub(super) along: Along,
    /// Weight of the past in smoothed lines.
    pub(super) smoothing: f64,
    /// Logarithmic y axes.
    pub(super) log: bool,
}

impl Look {
    /// A value as it stands on the y axis.
    pub(super) fn scale(self, what: What, value: f64) -> f64 {
        if self.log && what.can_log() { value.max(1e-12).log10() } else { value }
    }

    /// What a place on the y axis means.
    pub(super) fn unscale(self, what: What, at: f64) -> f64 {
        if self.log && what.can_log() { 10_f64.powf(at) } else { at }
    }

    fn of_step(self, step: &StepPoint) -> f64 {
        match self.along {
            Along::Step => step.step as f64,
            Along::Epoch => step.epoch,
            Along::Time => step.secs,
        }
    }
}

/// A line of many points, and the few of them that are drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    points: Vec<PlotPoint>,
    thin: Thin,
}

/// The points of a curve that are drawn: first, smallest, largest and last of each stretch.
///
/// Stretches are a power of two long and start at multiples of it, so that they stay the same while a curve grows: the
/// picture does not flicker, and only the last stretch is looked at again.
#[derive(Clone, Debug, Default)]
struct Thin {
    points: Vec<PlotPoint>,
    /// The stretches go from this point of the curve …
    from: usize,
    /// … to before this one.
    to: usize,
    /// Points in a stretch; 0 before the first look.
    length: usize,
    /// Where the last stretch starts, in the curve and among the points that are drawn.
    last: (usize, usize),
}

impl Thin {
    fn update(&mut self, all: &[PlotPoint], from: usize, to: usize, length: usize) {
        let goes_on = self.from == from && self.length == length && to >= self.to;
        if goes_on && to == self.to {
            return;
        }
        if goes_on {
            self.points.truncate(self.last.1);
        } else {
            *self = Self { points: std::mem::take(&mut self.points), from, length, last: (from, 0), to };
            self.points.clear();
        }
        self.to = to;
        let mut start = self.last.0;
        while start < to {
            let end = ((start / length + 1) * length).min(to);
            self.last = (start, self.points.len());
            if let Some(part) = all.get(start..end) {
                self.stretch(part);
            }
            start = end;
        }
    }

    fn stretch(&mut self, part: &[PlotPoint]) {
        let (mut low, mut high) = (0, 0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for (at, point) in part.iter().enumerate() {
            if point.y < least {
                (least, low) = (point.y, at);
            }
            if point.y > most {
                (most, high) = (point.y, at);
            }
        }
        let mut last = None;
        for at in [0, low.min(high), low.max(high), part.len().saturating_sub(1)] {
            if last != Some(at) {
                self.points.extend(part.get(at));
            }
            last = Some(at);
        }
    }
}

impl Curve {
    fn push(&mut self, x: f64, y: f64) {
        self.points.push(PlotPoint::new(x, y));
    }

    /// All points.
    #[cfg(test)]
    fn points(&self) -> &[PlotPoint] {
        &self.points
    }

    /// The points to draw for a range of x (all if none): not many more than four a pixel column, whatever the length.
    /// Smallest and largest of each stretch stay, so that no spike is lost.
    pub(super) fn thinned(&mut self, range: Option<(f64, f64)>, columns: usize) -> &[PlotPoint] {
        let (from, to) = match range {
            Some((low, high)) => (
                self.points.partition_point(|point| point.x < low).saturating_sub(1),
                (self.points.partition_point(|point| point.x <= high) + 1).min(self.points.len()),
            ),
            None => (0, self.points.len()),
        };
        let columns = columns.max(16);
        let count = to.saturating_sub(from);
        if count <= columns * 4 {
            return self.points.get(from..to).unwrap_or_default();
        }
        self.thin.update(&self.points, from, to, count.div_ceil(columns).next_power_of_two());
        &self.thin.points
    }

    /// The point whose x is nearest.
    pub(super) fn nearest(&self, x: f64) -> Option<PlotPoint> {
        let at = self.points.partition_point(|point| point.x < x);
        let before = at.checked_sub(1).and_then(|at| self.points.get(at));
        let after = self.points.get(at);
        match (before, after) {
            (Some(a), Some(b)) => Some(if x - a.x <= b.x - x { *a } else { *b }),
            (a, b) => a.or(b).copied(),
        }
    }
}

/// The lines of one chart of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Every step.
    pub(super) raw: Curve,
    /// Every step, smoothed.
    pub(super) smooth: Curve,
    /// Every epoch.
    pub(super) validation: Curve,
    /// The best epoch.
    pub(super) best: Option<PlotPoint>,
    sum: f64,
    weight: f64,
}

/// All lines of one run, brought up to date when it has grown or is looked at otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct RunCurves {
    folder: PathBuf,
    look: Option<Look>,
    steps: usize,
    last_step: u64,
    epochs: (usize, u32),
    lines: [Lines; 4],
}

impl RunCurves {
    /// The lines of a chart.
    pub(super) fn lines(&mut self, what: What) -> &mut Lines {
        let [loss, accuracy, rate, norm] = &mut self.lines;
        match what {
            What::Loss => loss,
            What::Accuracy => accuracy,
            What::Rate => rate,
            What::Norm => norm,
        }
    }

    /// Steps of it.
    pub(super) fn len(&self) -> usize {
        self.steps
    }

    /// Takes in what is new; starts over when the run is another, was cut back, or is looked at otherwise.
    pub(super) fn update(&mut self, run: &RunView, look: Look) {
        let known = self.steps.checked_sub(1).and_then(|at| run.steps.get(at)).map_or(0, |step| step.step);
        let best = run.best().map_or(0, |epoch| epoch.epoch);
        let goes_on = self.folder == run.folder
            && self.look == Some(look)
            && run.steps.len() >= self.steps
            && known == self.last_step;
        if !goes_on {
            *self = Self { folder: run.folder.clone(), look: Some(look), ..Self::default() };
        }
        let epochs_changed = self.epochs != (run.epochs.len(), best);
        for what in What::ALL {
            let from = self.steps;
            let lines = self.lines(what);
            for step in run.steps.get(from..).unwrap_or_default() {
                lines.push(step, what, look);
            }
            if epochs_changed || !goes_on {
                lines.set_epochs(run, what, look);
            }
        }
        self.steps = run.steps.len();
        self.last_step = run.steps.last().map_or(0, |step| step.step);
        self.epochs = (run.epochs.len(), best);
    }
}

impl Lines {
    fn push(&mut self, step: &StepPoint, what: What, look: Look) {
        let value = what.of_step(step);
        if !value.is_finite() {
            return;
        }
        // An average with the weight of missing history taken out, as in Adam's bias correction.
        self.sum = look.smoothing * self.sum + (1.0 - look.smoothing) * value;
        self.weight = look.smoothing * self.weight + (1.0 - look.smoothing);
        let x = look.of_step(step);
        self.raw.push(x, look.scale(what, value));
        if what.is_noisy() {
            self.smooth.push(x, look.scale(what, self.sum / self.weight));
        }
    }

    fn set_epochs(&mut self, run: &RunView, what: What, look: Look) {
        self.validation = Curve::default();
        self.best = None;
        for epoch in run.epochs.iter().filter(|epoch| what.of_epoch(epoch).is_finite()) {
            let x = match look.along {
                Along::Step => epoch.step as f64,
                Along::Epoch => f64::from(epoch.epoch),
                Along::Time => secs_at(run, epoch.step),
            };
            let y = look.scale(what, what.of_epoch(epoch));
            self.validation.push(x, y);
            if epoch.is_best {
                self.best = Some(PlotPoint::new(x, y));
            }
        }
    }
}

/// Seconds of training up to a step.
pub(super) fn secs_at(run: &RunView, step: u64) -> f64 {
    let at = run.steps.partition_point(|point| point.step <= step);
    at.checked_sub(1).and_then(|at| run.steps.get(at)).map_or(0.0, |point| point.secs)
}

/// A step's place on the x axis.
pub(super) fn place(run: &RunView, step: u64, along: Along) -> f64 {
    match along {
        Along::Step => step as f64,
        Along::Epoch => step as f64 / run.steps_per_epoch.max(1) as f64,
        Along::Time => secs_at(run, step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { along: Along::Step, smoothing: 0.5, log: false };

    fn run(steps: u64) -> RunView {
        let step = |step: u64| StepPoint {
            step,
            epoch: step as f64 / 100.0,
            loss: if step == 7_777 { 50.0 } else { 1.0 + (step % 7) as f64 },
            secs: step as f64 * 0.5,
            ..StepPoint::default()
        };
        RunView { steps: (1..=steps).map(step).collect(), steps_per_epoch: 100, ..RunView::default() }
    }

    #[test]
    fn a_long_curve_is_thinned_to_the_screen_and_keeps_its_only_spike() {
        let mut curves = RunCurves::default();
        curves.update(&run(100_000), LOOK);
        let raw = &mut curves.lines(What::Loss).raw;
        let drawn = raw.thinned(None, 600);
        assert!(drawn.len() <= 600 * 4, "{}", drawn.len());
        assert!(drawn.iter().any(|point| (point.x, point.y) == (7_777.0, 50.0)));
        assert!(drawn.windows(2).all(|pair| pair[0].x < pair[1].x));
        assert_eq!((drawn[0].x, drawn[drawn.len() - 1].x), (1.0, 100_000.0));
        // Zoomed in, every point of the range is there, and one beyond on either side for the lines that leave it.
        assert_eq!(raw.thinned(Some((7_770.5, 7_780.5)), 600).len(), 12);
    }

    #[test]
    fn what_is_drawn_of_a_curve_that_grows_is_what_is_drawn_of_it_at_once() {
        let whole = run(20_000);
        let mut grown = RunCurves::default();
        for steps in (1_000..=20_000).step_by(97) {
            let part = RunView { steps: whole.steps[..steps].to_vec(), ..RunView::default() };
            grown.update(&part, LOOK);
            let mut built = RunCurves::default();
            built.update(&part, LOOK);
            let wanted = built.lines(What::Loss).raw.thinned(None, 100).to_vec();
            assert_eq!(grown.lines(What::Loss).raw.thinned(None, 100), wanted, "{steps} steps");
        }
    }

    #[test]
    fn a_curve_that_grows_equals_one_that_is_built_at_once() {
        let (whole, mut grown) = (run(5_000), RunCurves::default());
        for part in [1_usize, 10, 999, 4_000, 5_000] {
            let steps = whole.steps[..part].to_vec();
            grown.update(&RunView { steps, ..whole.clone() }, LOOK);
        }
        let mut built = RunCurves::default();
        built.update(&whole, LOOK);
        for what in What::ALL {
            assert_eq!(grown.lines(what).smooth.points(), built.lines(what).smooth.points());
            assert_eq!(grown.lines(what).raw.points(), built.lines(what).raw.points());
        }
        // A run that is cut back by resuming starts over.
        grown.update(&run(20), LOOK);
        assert_eq!(grown.len(), 20);
    }

    #[test]
    fn smoothing_weighs_the_past_and_has_no_pull_towards_zero() {
        let step = |step: u64, loss: f64| StepPoint { step, loss, ..StepPoint::default() };
        let run = RunView { steps: vec![step(1, 4.0), step(2, 2.0), step(3, f64::NAN)], ..RunView::default() };
        let mut curves = RunCurves::default();
        curves.update(&run, LOOK);
        // (0.5 · 0.5 · 4 + 0.5 · 2) / (0.5 · 0.5 + 0.5) = 2 / 0.75; what is no number is left out.
        let smooth: Vec<f64> = curves.lines(What::Loss).smooth.points().iter().map(|point| point.y).collect();
        assert_eq!(smooth, [4.0, 2.0 / 0.75]);
    }

    #[test]
    fn the_best_epoch_has_its_own_point_on_every_axis() {
        let epoch = |epoch: u32| EpochPoint {
            epoch,
            step: u64::from(epoch) * 100,
            loss: 0.1,
            is_best: epoch == 2,
            ..EpochPoint::default()
        };
        let run = RunView { epochs: (1..=3).map(epoch).collect(), ..run(300) };
        for (along, x) in [(Along::Step, 200.0), (Along::Epoch, 2.0), (Along::Time, 100.0)] {
            let mut curves = RunCurves::default();
            curves.update(&run, Look { along, log: true, ..LOOK });
            let best = curves.lines(What::Loss).best.unwrap();
            // log10(0.1) = -1
            assert!((best.x - x).abs() < 1e-9 && (best.y + 1.0).abs() < 1e-9, "{along:?}");
        }
    }

    #[test]
    fn the_best_of_a_hundred_thousand_epochs_is_marked_though_its_line_is_thinned() {
        let epoch = |epoch: u32| EpochPoint {
            epoch,
            step: u64::from(epoch),
            // A saw whose teeth are lower than the best one: that is neither smallest nor largest of its stretch.
            loss: if epoch == 50_001 { 0.5 } else { f64::from(epoch % 2) },
            is_best: epoch == 50_001,
            ..EpochPoint::default()
        };
        let run = RunView { epochs: (1..=100_000).map(epoch).collect(), ..run(1) };
        let mut curves = RunCurves::default();
        curves.update(&run, Look { along: Along::Step, ..LOOK });
        let lines = curves.lines(What::Loss);
        let drawn = lines.validation.thinned(None, 600).to_vec();
        assert!(drawn.len() <= 600 * 4 && drawn.iter().all(|point| (point.y - 0.5).abs() > 0.4), "{}", drawn.len());
        assert_eq!(lines.best.map(|best| (best.x, best.y)), Some((50_001.0, 0.5)));
    }

    #[test]
    fn a_logarithmic_axis_is_of_powers_of_ten_and_shares_have_none() {
        let log = Look { log: true, ..LOOK };
        // log10(0.01) = -2; of nothing there is no logarithm, so that it is cut off far below.
        for (value, at) in [(0.01, -2.0), (1.0, 0.0), (1_000.0, 3.0), (0.0, -12.0)] {
            assert!((log.scale(What::Loss, value) - at).abs() < 1e-12, "{value}");
            assert!((log.unscale(What::Rate, at) - value).abs() <= value * 1e-12 + 1e-11, "{value}");
        }
        assert_eq!((log.scale(What::Accuracy, 50.0), LOOK.scale(What::Loss, 0.01)), (50.0, 0.01));
    }

    #[test]
    fn the_nearest_point_is_found_beyond_both_ends() {
        let mut curve = Curve::default();
        (0..5_u8).for_each(|x| curve.push(f64::from(x), 0.0));
        let at = |x: f64| curve.nearest(x).unwrap().x;
        assert_eq!((at(-9.0), at(1.4), at(1.6), at(99.0)), (0.0, 1.0, 2.0, 4.0));
        assert!(Curve::default().nearest(1.0).is_none());
    }
}
