//! The arithmetic of sliding windows: convolution and pooling sizes, and the "same" rule.

use super::ShapeError;
use serde::{Deserialize, Serialize};

/// Explicit padding of a map, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pads {
    /// Rows above.
    pub top: u64,
    /// Rows below.
    pub bottom: u64,
    /// Columns left.
    pub left: u64,
    /// Columns right.
    pub right: u64,
}

impl Pads {
    /// The same padding on both ends of each axis.
    pub fn symmetric(height: u64, width: u64) -> Self {
        Self { top: height, bottom: height, left: width, right: width }
    }

    /// `[(top, bottom), (left, right)]`.
    pub fn pairs(self) -> [(u64, u64); 2] {
        [(self.top, self.bottom), (self.left, self.right)]
    }

    /// Whether both ends of each axis are padded alike.
    pub fn is_symmetric(self) -> bool {
        self.top == self.bottom && self.left == self.right
    }

    /// Whether nothing is padded.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// Padding of the "same" rule: output `ceil(n / stride)`, the odd pixel at the end.
///
/// # Source
/// TensorFlow, "Notes on padding combination with conv and pool"; dilation enters through the effective kernel
/// `dilation * (kernel - 1) + 1`.
/// # Errors
/// A kernel, stride or dilation of zero; sizes past 64 bits.
pub fn same_pads(input: [u64; 2], kernel: [u64; 2], stride: [u64; 2], dilation: [u64; 2]) -> Result<Pads, ShapeError> {
    let axis = |i: usize| -> Result<(u64, u64), ShapeError> {
        let effective = effective_kernel(kernel[i], dilation[i])?;
        if stride[i] == 0 {
            return Err(ShapeError::Zero { what: "Stride" });
        }
        let steps = input[i].div_ceil(stride[i]).saturating_sub(1);
        let span = steps.checked_mul(stride[i]).and_then(|x| x.checked_add(effective)).ok_or(OVERFLOW)?;
        let total = span.saturating_sub(input[i]);
        Ok((total / 2, total - total / 2))
    };
    let ((top, bottom), (left, right)) = (axis(0)?, axis(1)?);
    Ok(Pads { top, bottom, left, right })
}

const OVERFLOW: ShapeError = ShapeError::Overflow { what: "The padded input" };

/// `dilation * (kernel - 1) + 1`, at least one.
pub(crate) fn effective_kernel(kernel: u64, dilation: u64) -> Result<u64, ShapeError> {
    if kernel == 0 {
        return Err(ShapeError::Zero { what: "Kernel" });
    }
    if dilation == 0 {
        return Err(ShapeError::Zero { what: "Dilation" });
    }
    (kernel - 1).checked_mul(dilation).and_then(|x| x.checked_add(1)).ok_or(ShapeError::Overflow { what: "The kernel" })
}

/// Output height and width of a sliding window.
///
/// `floor((n + pads - effective) / stride) + 1`; with `ceil` the division rounds up, but a window that would start in the
/// padding after the end is dropped.
///
/// # Errors
/// A kernel, stride or dilation of zero; a window larger than the padded input; sizes past 64 bits.
/// # Source
/// PyTorch `Conv2d` and `MaxPool2d`, including `ceil_mode`.
pub fn window_outputs(
    input: [u64; 2],
    kernel: [u64; 2],
    stride: [u64; 2],
    dilation: [u64; 2],
    pads: Pads,
    ceil: bool,
) -> Result<[u64; 2], ShapeError> {
    let effective = [effective_kernel(kernel[0], dilation[0])?, effective_kernel(kernel[1], dilation[1])?];
    let ends = pads.pairs();
    let mut padded = [0; 2];
    for i in 0..2 {
        if stride[i] == 0 {
            return Err(ShapeError::Zero { what: "Stride" });
        }
        padded[i] = input[i].checked_add(ends[i].0).and_then(|x| x.checked_add(ends[i].1)).ok_or(OVERFLOW)?;
    }
    if effective[0] > padded[0] || effective[1] > padded[1] {
        return Err(ShapeError::WindowTooLarge { kernel: effective, input: padded });
    }
    let axis = |i: usize| {
        let room = padded[i] - effective[i];
        if !ceil {
            return room / stride[i] + 1;
        }
        let rounded = room.div_ceil(stride[i]) + 1;
        // The last window must start inside the input or the padding before it.
        if (rounded - 1).saturating_mul(stride[i]) >= input[i] + ends[i].0 { rounded - 1 } else { rounded }
    };
    Ok([axis(0), axis(1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_follows_tensorflows_published_rule() {
        // TensorFlow's note: in 28, kernel 5, stride 1: total 4 = 2 + 2; in 28, kernel 3, stride 2: total 1 = 0 + 1.
        assert_eq!(same_pads([28, 28], [5, 5], [1, 1], [1, 1]).unwrap(), Pads::symmetric(2, 2));
        let odd = same_pads([28, 28], [3, 3], [2, 2], [1, 1]).unwrap();
        assert_eq!(odd, Pads { top: 0, bottom: 1, left: 0, right: 1 });
        // Dilation 2 makes a 3x3 kernel span 5: total 4.
        assert_eq!(same_pads([28, 28], [3, 3], [1, 1], [2, 2]).unwrap(), Pads::symmetric(2, 2));
        // Kernel 1 with stride 2 needs none: (14 - 1) * 2 + 1 - 28 < 0.
        assert!(same_pads([28, 28], [1, 1], [2, 2], [1, 1]).unwrap().is_zero());
    }

    #[test]
    fn ceil_mode_drops_a_window_that_starts_in_the_padding() {
        // PyTorch: MaxPool2d(2, stride=2, ceil_mode=True) on 5 gives 3, without 2.
        assert_eq!(window_outputs([5, 5], [2, 2], [2, 2], [1, 1], Pads::default(), true).unwrap(), [3, 3]);
        assert_eq!(window_outputs([5, 5], [2, 2], [2, 2], [1, 1], Pads::default(), false).unwrap(), [2, 2]);
        // MaxPool2d(1, stride=2, padding=0, ceil_mode=True) on 2: (2 - 1)/2 rounds up to 1, +1 = 2, whose window starts at
        // 2 >= 2 + 0 and is dropped.
        assert_eq!(window_outputs([2, 2], [1, 1], [2, 2], [1, 1], Pads::default(), true).unwrap(), [1, 1]);
    }
}
