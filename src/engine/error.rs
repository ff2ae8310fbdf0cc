//! Why the engine could not do what it was asked.

use super::weights::WeightsError;
use crate::op::Shape;
use std::path::PathBuf;

/// A broken rule: what must hold, then what was found, then a way out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The program contradicts itself or is not finished.
    #[error("A network must be complete and consistent before it runs. {found}. Fix the layers that are marked.")]
    Program {
        /// What is wrong.
        found: String,
    },
    /// Images of another size than the network's input.
    #[error(
        "Images must have the network's input size {expected}. Received {found}. Choose another preprocessing or input."
    )]
    BatchShape {
        /// Input of the network.
        expected: Shape,
        /// What the batch holds.
        found: String,
    },
    /// A head that cannot be judged.
    #[error("The head of {output}: {rule} Received {found}. Change the head or the data.")]
    Head {
        /// The output it judges.
        output: String,
        /// What must hold.
        rule: &'static str,
        /// What was found.
        found: String,
    },
    /// A head that does not fit the network.
    #[error(transparent)]
    Unjudged(#[from] crate::plan::HeadFault),
    /// Nothing would change.
    #[error(
        "Training needs at least one layer that learns. Found none. Add a convolution or dense layer, or unfreeze one."
    )]
    NothingToTrain,
    /// 16-bit values on a device that has none.
    #[error(
        "A network in f16 needs a device that computes in 16 bits. This one does not. Choose f32 or another device."
    )]
    HalfPrecision,
    /// A step without images.
    #[error("A step needs at least one image. Received an empty batch. Check the split's size.")]
    EmptyBatch,
    /// A value that is not of this network.
    #[error("A tapped value must be one of the network's {values}. Received number {found}. Open the run again.")]
    Tap {
        /// How many there are.
        values: usize,
        /// The id asked for.
        found: u32,
    },
    /// A cell that no layer has.
    #[error("A cell must be one of a layer's output. {found}. Look at the layer again.")]
    Cell {
        /// What is wrong.
        found: String,
    },
    /// Training diverged; the weights are those before the step.
    #[error(
        "The loss and its gradients must be finite. At step {step} the loss is {loss}, the gradient norm {norm}. Use a smaller learning rate or gradient clipping."
    )]
    NotFinite {
        /// The step, counted from one.
        step: u64,
        /// Loss.
        loss: f64,
        /// Norm of all gradients.
        norm: f64,
    },
    /// A schedule that is none.
    #[error(
        "A schedule must be one that Striate knows. Received {found}. Choose constant, step, cosine, warm-up or one cycle."
    )]
    Schedule {
        /// What the reader said.
        found: String,
    },
    /// burn or the driver failed.
    #[error("The device could not finish a computation. {message}. Use a smaller batch or another device.")]
    Backend {
        /// What it said.
        message: String,
    },
    /// A weights file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A checkpoint's file.
    #[error("A checkpoint's file must be readable and writable. {path}: {message}. Check the disk and its rights.", path = path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// A checkpoint of something else.
    #[error(
        "A checkpoint must be of the same network and optimizer. {found}. Start anew, or open the run's own document."
    )]
    Checkpoint {
        /// What differs.
        found: String,
    },
}

impl From<burn::tensor::ExecutionError> for EngineError {
    fn from(error: burn::tensor::ExecutionError) -> Self {
        Self::Backend { message: error.to_string() }
    }
}

/// Runs `body`; a panic inside it (burn's way of reporting misuse and exhausted devices) becomes an error.
pub(super) fn guard<T>(body: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_else(|| "It gave no reason".into());
        Err(EngineError::Backend { message: message.trim_end_matches('.').to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let caught = guard::<()>(|| std::panic::resume_unwind(Box::new("shapes differ.".to_owned())));
        assert!(matches!(caught, Err(EngineError::Backend { message }) if message == "shapes differ"));
    }
}
