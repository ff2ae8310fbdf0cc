//! How long each layer takes, as the engine measured it. Plain data; fed by the session, read by the canvas.

use crate::engine::protocol::LayerTimesReport;

/// What was measured, and whether it is being measured now.
#[derive(Clone, Debug, Default)]
pub struct TimesView {
    /// The engine is at it.
    pub is_busy: bool,
    /// What it brought back last.
    pub result: Option<Times>,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Times {
    /// Document and revision it was made of, as panels see it.
    pub revision: u64,
    /// What the engine said.
    pub report: LayerTimesReport,
}

impl Times {
    /// Milliseconds of one step, forward and backward, in a layer and everything in it.
    pub fn millis(&self, path: &str) -> Option<f64> {
        self.report.of(path).map(|(forward, backward)| (forward + backward) * 1_000.0)
    }

    /// What it holds for: "Batch of 64 on the CPU".
    pub fn in_words(&self) -> String {
        let (forward, backward) = self.report.total();
        format!(
            "batch of {} on {}: {:.1} ms forward, {:.1} ms backward",
            self.report.batch,
            self.report.device,
            forward * 1_000.0,
            backward * 1_000.0
        )
    }
}
