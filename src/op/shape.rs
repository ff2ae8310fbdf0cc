//! Shapes of one image's values, and element types.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of one value for one image: `[c, h, w]` for a map, `[features]` for a vector. The batch is not part of it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape(Vec<u64>);

impl Shape {
    /// A map of `channels` planes of `height` x `width`.
    pub fn map(channels: u64, height: u64, width: u64) -> Self {
        Self(vec![channels, height, width])
    }

    /// A plain vector of `features` numbers.
    pub fn vector(features: u64) -> Self {
        Self(vec![features])
    }

    /// The sizes in the order of code and files: `[c, h, w]` or `[features]`.
    pub fn dims(&self) -> &[u64] {
        &self.0
    }

    /// `(c, h, w)` if this is a map.
    pub fn as_map(&self) -> Option<(u64, u64, u64)> {
        match *self.0 {
            [c, h, w] => Some((c, h, w)),
            _ => None,
        }
    }

    /// The number of features if this is a vector.
    pub fn as_vector(&self) -> Option<u64> {
        match *self.0 {
            [features] => Some(features),
            _ => None,
        }
    }

    /// Channels of a map, features of a vector: what a following layer sees as its inputs per position.
    pub fn channels(&self) -> u64 {
        self.0.first().copied().unwrap_or(0)
    }

    /// Numbers in the value, or `None` past `u64`.
    pub fn elements(&self) -> Option<u64> {
        self.0.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))
    }

    /// The sizes as a person reads them: `[h, w, c]` or `[features]`.
    pub fn dims_hwc(&self) -> Vec<u64> {
        match self.as_map() {
            Some((c, h, w)) => vec![h, w, c],
            None => self.0.clone(),
        }
    }
}

impl fmt::Display for Shape {
    /// Height × width × channels, as the reader of a textbook expects, with separators: `1 × 1 × 1,024`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, size) in self.dims_hwc().iter().enumerate() {
            if i > 0 {
                f.write_str(" × ")?;
            }
            f.write_str(&crate::text::count(*size))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The element type of a value or parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32-bit float.
    #[default]
    F32,
    /// 16-bit float.
    F16,
}

impl DType {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::F32, Self::F16];

    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// `f32` or `f16`.
    pub fn id(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}
