//! Windows over maps: which pixels a cell collects, through which places of a kernel, and where that leaves the map. Plain
//! arithmetic of indices.

use super::super::host::size;
use super::super::protocol::{Cell, Products, Tap, Window};
use super::Maps;
use crate::op::Pads;

/// A window over a map: where each of its places lies.
pub(super) struct Span {
    pub(super) rows: u64,
    pub(super) columns: u64,
    /// Row and column of each place, if it lies on a pixel.
    pub(super) places: Vec<Result<(u64, u64), Tap>>,
    /// Rows (from, to) and columns (from, to), not clipped.
    pub(super) seen: [(i64, i64); 2],
}

impl Span {
    pub(super) fn new(
        maps: &Maps<'_>,
        kernel: [u64; 2],
        stride: [u64; 2],
        dilation: [u64; 2],
        pads: Pads,
        cell: Cell,
    ) -> Self {
        let first = [signed(cell.y * stride[0]) - signed(pads.top), signed(cell.x * stride[1]) - signed(pads.left)];
        let place = |axis: usize, tap: u64| first[axis] + signed(tap * dilation[axis]);
        let extent = [maps.height, maps.width];
        let axis = |axis: usize, tap: u64| {
            u64::try_from(place(axis, tap)).ok().filter(|&at| at < extent[axis]).ok_or(Tap::Padding)
        };
        let seen = |axis: usize| (first[axis], place(axis, kernel[axis].saturating_sub(1)) + 1);
        Self::of(kernel, [seen(0), seen(1)], axis)
    }

    /// Output (y, x) collects input i through place j of the kernel where y + padding = i · stride + j · dilation.
    pub(super) fn transposed(
        maps: &Maps<'_>,
        kernel: [u64; 2],
        stride: [u64; 2],
        dilation: [u64; 2],
        padding: [u64; 2],
        cell: Cell,
    ) -> Self {
        let at = [cell.y + padding[0], cell.x + padding[1]].map(signed);
        let extent = [maps.height, maps.width];
        let axis = |axis: usize, tap: u64| {
            let spread = at[axis] - signed(tap * dilation[axis]);
            let stride = signed(stride[axis].max(1));
            if spread.rem_euclid(stride) != 0 {
                return Err(Tap::Gap);
            }
            u64::try_from(spread / stride).ok().filter(|&at| at < extent[axis]).ok_or(Tap::Padding)
        };
        let seen = |axis: usize| {
            let stride = signed(stride[axis].max(1));
            let reach = signed(kernel[axis].saturating_sub(1) * dilation[axis]);
            // Rounded up and down: the first and last pixel whose spread reaches the cell.
            (-(reach - at[axis]).div_euclid(stride), at[axis].div_euclid(stride) + 1)
        };
        Self::of(kernel, [seen(0), seen(1)], axis)
    }

    pub(super) fn whole(maps: &Maps<'_>) -> Self {
        let seen = [(0, signed(maps.height)), (0, signed(maps.width))];
        Self::of([maps.height, maps.width], seen, |_, tap| Ok(tap))
    }

    /// The four nearest pixels and their weights (one or two where edges are repeated).
    ///
    /// # Source
    /// PyTorch `Upsample(mode="bilinear", align_corners=False)`: source = max(0, (i + ½) / scale − ½).
    pub(super) fn bilinear(maps: &Maps<'_>, scale: [u64; 2], cell: Cell) -> (Self, Vec<f32>) {
        let axis = |extent: u64, at: u64, scale: u64| {
            let source = ((at as f64 + 0.5) / scale.max(1) as f64 - 0.5).max(0.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down, not negative")]
            let first = (source as u64).min(extent.saturating_sub(1));
            let second = (first + 1).min(extent.saturating_sub(1));
            #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
            let share = (source - first as f64) as f32;
            ([first, second], [1.0 - share, share])
        };
        let (ys, wy) = axis(maps.height, cell.y, scale[0]);
        let (xs, wx) = axis(maps.width, cell.x, scale[1]);
        let seen = |at: [u64; 2]| (signed(at[0]), signed(at[1]) + 1);
        let places = ys.iter().flat_map(|&y| xs.iter().map(move |&x| Ok((y, x)))).collect();
        let kernel = wy.iter().flat_map(|y| wx.iter().map(move |x| y * x)).collect();
        (Self { rows: 2, columns: 2, places, seen: [seen(ys), seen(xs)] }, kernel)
    }

    fn of(kernel: [u64; 2], seen: [(i64, i64); 2], axis: impl Fn(usize, u64) -> Result<u64, Tap>) -> Self {
        let mut places = Vec::with_capacity(size(kernel[0] * kernel[1]));
        for row in 0..kernel[0] {
            for column in 0..kernel[1] {
                places.push(match (axis(0, row), axis(1, column)) {
                    (Ok(y), Ok(x)) => Ok((y, x)),
                    (Err(Tap::Gap), _) | (_, Err(Tap::Gap)) => Err(Tap::Gap),
                    _ => Err(Tap::Padding),
                });
            }
        }
        Self { rows: kernel[0], columns: kernel[1], places, seen }
    }

    pub(super) fn patch(&self, maps: &Maps<'_>, channel: u64) -> Vec<f32> {
        self.places.iter().map(|place| place.map_or(0.0, |(y, x)| maps.at(channel, y, x))).collect()
    }

    pub(super) fn products(&self, maps: &Maps<'_>, channel: u64, kernel: Vec<f32>) -> Products {
        let patch = self.patch(maps, channel);
        let pairs = patch.iter().zip(&kernel).zip(&self.places).filter(|(_, place)| place.is_ok());
        let sum = pairs.map(|((&x, &w), _)| f64::from(x) * f64::from(w)).sum();
        Products { channel, patch, kernel, sum }
    }

    pub(super) fn inside(&self) -> u64 {
        self.places.iter().filter(|place| place.is_ok()).count() as u64
    }

    /// The part of the window that lies within the padded map: what rounding up adds at the end never counts.
    pub(super) fn padded_area(&self, maps: &Maps<'_>, pads: Pads) -> u64 {
        let ends = [maps.height + pads.bottom, maps.width + pads.right].map(signed);
        let side = |axis: usize| (self.seen[axis].1.min(ends[axis]) - self.seen[axis].0).max(1);
        u64::try_from(side(0) * side(1)).unwrap_or(1)
    }

    pub(super) fn window(&self) -> Window {
        let whole = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
        Window {
            rows: whole(self.rows),
            columns: whole(self.columns),
            rows_seen: self.seen[0],
            columns_seen: self.seen[1],
            taps: self.places.iter().map(|place| place.err().unwrap_or(Tap::Inside)).collect(),
        }
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 4)
}
