//! Plain numbers on this side, tensors on the other.

use super::EngineError;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};

/// A tensor as plain numbers, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// A tensor of this shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        Self { shape, data }
    }

    /// Whether shape and numbers agree.
    pub fn is_consistent(&self) -> bool {
        self.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)) == Some(self.data.len())
    }

    /// Rows and columns exchanged.
    pub(super) fn transposed(&self) -> Self {
        let [rows, columns] = self.shape[..] else { return self.clone() };
        Self { shape: vec![columns, rows], data: transpose(&self.data, rows, columns) }
    }
}

/// Exchanges rows and columns of `rows` x `columns` numbers, in tiles that fit the cache.
pub(super) fn transpose(data: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0.0; data.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for r in top..(top + TILE).min(rows) {
                for c in left..(left + TILE).min(columns) {
                    out[c * rows + r] = data[r * columns + c];
                }
            }
        }
    }
    out
}

/// As `usize`; sizes past memory saturate and are refused by burn.
pub(super) fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Both of a pair as `usize`.
pub(super) fn sizes(pair: [u64; 2]) -> [usize; 2] {
    pair.map(size)
}

/// Numbers to a device.
pub(super) fn upload<const D: usize>(data: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

/// Waits for a tensor and gives it as numbers.
pub(super) fn download<const D: usize>(tensor: Tensor<D>) -> Result<HostTensor, EngineError> {
    let shape = tensor.dims().to_vec();
    let data = tensor.cast(FloatDType::F32).try_into_data()?;
    Ok(HostTensor { shape, data: numbers(&data)? })
}

/// The numbers of data that was read.
pub(super) fn numbers(data: &TensorData) -> Result<Vec<f32>, EngineError> {
    data.try_to_vec::<f32>().map_err(|error| EngineError::Backend { message: format!("{error:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_exchanges_rows_and_columns() {
        let tensor = HostTensor::new(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(tensor.transposed(), HostTensor::new(vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(tensor.transposed().transposed(), tensor);
    }
}
