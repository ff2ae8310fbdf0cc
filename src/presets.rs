//! The catalogue of networks that come with the program. Presets are ordinary documents.

use crate::graph::Document;

/// One preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Stable id, as the command line takes it.
    pub id: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    json: &'static str,
}

/// All presets, simplest first.
pub const ALL: [Preset; 4] = [
    Preset {
        id: "lenet5",
        summary: "LeNet-5 (1998): reads digits of 32 × 32 with 61,706 parameters",
        json: include_str!("../presets/lenet5.json"),
    },
    Preset {
        id: "mnist-cnn",
        summary: "Two convolutions and dropout for MNIST: 1,625,866 parameters",
        json: include_str!("../presets/mnist-cnn.json"),
    },
    Preset {
        id: "resnet-mini",
        summary: "Residual blocks and repeated groups on 28 × 28 digits",
        json: include_str!("../presets/resnet-mini.json"),
    },
    Preset {
        id: "exercise-net",
        summary: "The textbook's exercise on parameters and RAM: three convolutions on 200 × 300 RGB",
        json: include_str!("../presets/exercise-net.json"),
    },
];

impl Preset {
    /// The document.
    ///
    /// # Panics
    /// Never: a test opens every preset.
    pub fn document(&self) -> Document {
        match Document::from_json(self.json) {
            Ok(document) => document,
            Err(error) => unreachable!("preset {}: {error}", self.id),
        }
    }
}

/// The document of a preset id.
pub fn find(id: &str) -> Option<Document> {
    ALL.iter().find(|preset| preset.id == id).map(Preset::document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{CostSettings, cost, plan};

    /// Every preset opens, lowers without an error, and saves to the very text it was read from.
    #[test]
    fn every_preset_opens_runs_and_survives_saving() {
        for preset in ALL {
            let document = preset.document();
            let plan = plan(&document);
            assert!(plan.is_complete(), "{}: {:?}", preset.id, plan.diagnostics);
            let again = Document::from_json(&document.to_json()).unwrap();
            assert_eq!(again.to_json(), document.to_json(), "{}", preset.id);
            assert!(document.description.contains("Source"), "{} cites nothing", preset.id);
        }
    }

    #[test]
    fn published_parameter_counts_hold() {
        let params = |id| {
            let program = plan(&find(id).unwrap()).program;
            cost(&program, CostSettings::default()).totals.params()
        };
        // LeNet-5, full second convolution: 156 + 2,416 + 48,120 + 10,164 + 850.
        assert_eq!(params("lenet5"), 61_706);
        // 320 + 18,496 + (14·14·64 + 1)·128 + 1,290.
        assert_eq!(params("mnist-cnn"), 1_625_866);
        assert_eq!(params("exercise-net"), 903_400);
        // 16·9 + 32; three blocks of 2·(16·16·9) + 64; (16·32·9 + 32·32·9 + 16·32 + 192) + 2·(2·32·32·9 + 128);
        // (32·64·9 + 64·64·9 + 32·64 + 384) + 2·(2·64·64·9 + 256); 650.
        assert_eq!(params("resnet-mini"), 176 + 14_016 + 14_528 + 37_120 + 57_728 + 147_968 + 650);
    }
}
