//! Weights on disk: safetensors with PyTorch's names and layouts, and text in the metadata.
//!
//! Knows files and plain numbers only; neither burn nor programs.

use super::HostTensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Why a weights file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The system refused.
    #[error("Weights must be readable and writable. {path}: {message}. Check the path, its rights and the free space.", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// Not a safetensors file.
    #[error("Weights must be a safetensors file. {path}: {message}. Choose another file.", path = path.display())]
    Format {
        /// Where.
        path: PathBuf,
        /// What the reader said.
        message: String,
    },
    /// Numbers of a type that weights do not have.
    #[error("Weights must be 16, 32 or 64-bit floats. {name} in {path} is {found}. Convert the file first.", path = path.display())]
    Type {
        /// Where.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A tensor whose shape and numbers differ.
    #[error(
        "A tensor must have as many numbers as its shape says. {name} has {found} numbers for {shape:?}. Report this."
    )]
    Inconsistent {
        /// Which tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its numbers.
        found: usize,
    },
}

/// Named tensors in order, and the text that was stored with them.
pub type Loaded = (Vec<(String, HostTensor)>, BTreeMap<String, String>);

/// PyTorch's counter of batches beside batch norm's statistics. It only matters to a momentum of `None`.
const COUNTER: &str = "num_batches_tracked";

/// Writes tensors and metadata as one file, under a temporary name first, so that a crash never leaves half a file.
///
/// Beside every `running_var` the counter `num_batches_tracked` that PyTorch's strict loading asks for is written as 0.
///
/// # Errors
/// The system refuses, or a tensor contradicts its shape.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(String, HostTensor)],
    metadata: BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    let mut views = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        if !tensor.is_consistent() {
            return Err(WeightsError::Inconsistent {
                name: name.clone(),
                shape: tensor.shape.clone(),
                found: tensor.data.len(),
            });
        }
        views.push((Cow::from(name), Stored::Numbers(tensor)));
        if let Some(owner) = name.strip_suffix(".running_var") {
            views.push((Cow::from(format!("{owner}.{COUNTER}")), Stored::Counter));
        }
    }
    let metadata: Option<HashMap<String, String>> = (!metadata.is_empty()).then(|| metadata.into_iter().collect());
    let bytes = safetensors::serialize(views, metadata)
        .map_err(|error| WeightsError::Format { path: path.into(), message: error.to_string() })?;
    write_atomically(path, &bytes).map_err(|error| WeightsError::Io { path: path.into(), message: error.to_string() })
}

/// Reads every tensor as 32-bit floats, sorted by name, and the metadata. Counters of batches are left out.
///
/// # Errors
/// The file cannot be read, is no safetensors file, or holds integers.
pub fn read_safetensors(path: &Path) -> Result<Loaded, WeightsError> {
    let bytes = fs::read(path).map_err(|error| WeightsError::Io { path: path.into(), message: error.to_string() })?;
    let broken =
        |error: safetensors::SafeTensorError| WeightsError::Format { path: path.into(), message: error.to_string() };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
    let metadata = header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter().filter(|(name, _)| name.rsplit('.').next() != Some(COUNTER)) {
        let data = floats(&view).ok_or_else(|| WeightsError::Type {
            path: path.into(),
            name: name.into(),
            found: format!("{:?}", view.dtype()),
        })?;
        tensors.push((name.to_owned(), HostTensor::new(view.shape().to_vec(), data)));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, metadata))
}

/// Writes beside `path`, waits until it is on the disk, and renames.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let aside = path.with_file_name(name);
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&aside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&aside);
    }
    renamed
}

enum Stored<'a> {
    Numbers(&'a HostTensor),
    Counter,
}

impl safetensors::View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Numbers(_) => Dtype::F32,
            Self::Counter => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(tensor) => &tensor.shape,
            Self::Counter => &[],
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Numbers(tensor) => {
                tensor.data.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>().into()
            }
            Self::Counter => (&[0_u8; 8][..]).into(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Numbers(tensor) => tensor.data.len() * 4,
            Self::Counter => 8,
        }
    }
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit")]
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::BF16 => {
            bytes.as_chunks::<2>().0.iter().map(|&b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)).collect()
        }
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|&b| half(u16::from_le_bytes(b))).collect(),
        _ => return None,
    })
}

/// IEEE 754 half precision: 1 sign, 5 exponent (bias 15), 10 fraction bits.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.safetensors");
        (dir, path)
    }

    #[test]
    fn what_was_written_is_read_back_bit_by_bit() {
        let (_dir, path) = scratch();
        let tensors = vec![
            ("bn1.running_var".to_owned(), HostTensor::new(vec![2], vec![f32::MIN_POSITIVE, 1.0 / 3.0])),
            ("conv1.weight".to_owned(), HostTensor::new(vec![1, 1, 1, 2], vec![-0.0, f32::MAX])),
        ];
        let metadata = BTreeMap::from([("document".to_owned(), "{\"a\":1}".to_owned())]);
        write_safetensors(&path, &tensors, metadata.clone()).unwrap();
        let (back, text) = read_safetensors(&path).unwrap();
        assert_eq!(text, metadata);
        let bits = |list: &[(String, HostTensor)]| -> Vec<_> {
            list.iter()
                .map(|(n, t)| (n.clone(), t.shape.clone(), t.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>()))
                .collect()
        };
        assert_eq!(bits(&back), bits(&tensors));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file may stay");
    }

    #[test]
    fn batch_norm_gets_the_counter_that_pytorch_asks_for() {
        let (_dir, path) = scratch();
        write_safetensors(
            &path,
            &[("bn1.running_var".to_owned(), HostTensor::new(vec![1], vec![1.0]))],
            BTreeMap::new(),
        )
        .unwrap();
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let counter = file.tensor("bn1.num_batches_tracked").unwrap();
        assert_eq!((counter.dtype(), counter.shape(), counter.data()), (Dtype::I64, &[][..], &[0_u8; 8][..]));
    }

    #[test]
    fn half_precision_follows_ieee_754() {
        // 0x3c00 = 1, 0xc000 = -2, 0x7bff = 65504, 0x0001 = 2^-24, 0x3555 = 0.333251953125.
        assert_eq!(half(0x3c00).to_bits(), 1.0_f32.to_bits());
        assert_eq!(half(0xc000).to_bits(), (-2.0_f32).to_bits());
        assert_eq!(half(0x7bff).to_bits(), 65504.0_f32.to_bits());
        assert_eq!(half(0x0001).to_bits(), 2.0_f32.powi(-24).to_bits());
        assert_eq!(half(0x3555).to_bits(), 0.333_251_95_f32.to_bits());
        assert!(half(0x7e00).is_nan() && half(0xfc00) < f32::MIN);
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_its_name() {
        let (_dir, path) = scratch();
        fs::write(&path, b"PK\x03\x04 not weights").unwrap();
        let error = read_safetensors(&path).unwrap_err().to_string();
        assert!(
            error.starts_with("Weights must be a safetensors file.") && error.contains("weights.safetensors"),
            "{error}"
        );
    }
}
