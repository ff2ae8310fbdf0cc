//! Columns of a layered drawing: an order of the cells in each row with few crossings, then horizontal places.
//!
//! The method is that of Brandes and Köpf, "Fast and simple horizontal coordinate assignment" (2001), with one change: a link
//! that passes rows beside the cards (a skip) never bends a chain of cards. Linear in cells and joints. Knows no graph.

/// One place in a row: a card, or the lane of a link that passes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    row: usize,
    width: f32,
    is_lane: bool,
    /// Counts as a card where chains are kept straight.
    is_firm: bool,
}

/// Width of a lane.
const LANE: f32 = 10.0;
/// Sweeps that put neighbours near each other.
const SWEEPS: usize = 6;

impl Cell {
    pub(super) fn card(row: usize, width: f32) -> Self {
        Self { row, width, is_lane: false, is_firm: true }
    }

    pub(super) fn lane(row: usize, is_branch: bool) -> Self {
        Self { row, width: LANE, is_lane: true, is_firm: is_branch }
    }
}

/// Cells in rows, joined from row to row.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    cells: Vec<Cell>,
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
}

impl Grid {
    pub(super) fn add(&mut self, cell: Cell) -> usize {
        self.cells.push(cell);
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.cells.len() - 1
    }

    /// Joins a cell with one in the next row.
    pub(super) fn join(&mut self, above: usize, below: usize) {
        if !self.down[above].contains(&below) {
            self.down[above].push(below);
            self.up[below].push(above);
        }
    }

    pub(super) fn row(&self, cell: usize) -> usize {
        self.cells[cell].row
    }

    /// The middle of each cell, from 0 at the left edge of the drawing, and the width of the drawing.
    pub(super) fn columns(&self, gap: f32) -> (Vec<f32>, f32) {
        if self.cells.is_empty() {
            return (Vec::new(), 0.0);
        }
        let rows = self.ordered_rows();
        let weak = self.weak_joints(&rows);
        let mut candidates: Vec<(Vec<f32>, f32)> = Vec::new();
        for upwards in [false, true] {
            for mirrored in [false, true] {
                let mut x = self.one_sided(&rows, &weak, upwards, mirrored, gap);
                if mirrored {
                    x.iter_mut().for_each(|x| *x = -*x);
                }
                let (low, high) = self.extent(&x);
                candidates.push((x, high - low));
            }
        }
        self.balance(candidates)
    }

    fn extent(&self, x: &[f32]) -> (f32, f32) {
        x.iter().zip(&self.cells).fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), (x, cell)| {
            (low.min(x - cell.width / 2.0), high.max(x + cell.width / 2.0))
        })
    }

    /// The mean of the two middle candidates, after all are shifted to the narrowest.
    fn balance(&self, mut candidates: Vec<(Vec<f32>, f32)>) -> (Vec<f32>, f32) {
        let narrowest = (0..4).min_by(|&a, &b| candidates[a].1.total_cmp(&candidates[b].1)).unwrap_or(0);
        let (low, high) = self.extent(&candidates[narrowest].0);
        for (index, (x, _)) in candidates.iter_mut().enumerate() {
            let (own_low, own_high) = self.extent(x);
            let shift = if index % 2 == 0 { low - own_low } else { high - own_high };
            x.iter_mut().for_each(|x| *x += shift);
        }
        let mut x: Vec<f32> = (0..self.cells.len())
            .map(|cell| {
                let mut four = [0, 1, 2, 3].map(|which: usize| candidates[which].0[cell]);
                four.sort_by(f32::total_cmp);
                f32::midpoint(four[1], four[2])
            })
            .collect();
        let (low, high) = self.extent(&x);
        x.iter_mut().for_each(|x| *x -= low);
        (x, high - low)
    }

    /// Cells of each row from left to right.
    fn ordered_rows(&self) -> Vec<Vec<usize>> {
        let count = self.cells.iter().map(|cell| cell.row + 1).max().unwrap_or(0);
        let mut rows = vec![Vec::new(); count];
        for (index, cell) in self.cells.iter().enumerate() {
            rows[cell.row].push(index);
        }
        let mut place = vec![0.0_f32; self.cells.len()];
        let settle = |row: &[usize], place: &mut [f32]| {
            row.iter().enumerate().for_each(|(at, &cell)| place[cell] = at as f32);
        };
        for row in &mut rows {
            // Cards before the lanes of the same source: skips pass on the right.
            self.sort_row(row, &self.up, &place, true);
            settle(row, &mut place);
        }
        let mut best = (self.crossings(&rows, &place), rows.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            if sweep % 2 == 0 {
                for row in rows.iter_mut().rev() {
                    self.sort_row(row, &self.down, &place, false);
                    settle(row, &mut place);
                }
            } else {
                for row in &mut rows {
                    self.sort_row(row, &self.up, &place, false);
                    settle(row, &mut place);
                }
            }
            let crossings = self.crossings(&rows, &place);
            if crossings < best.0 {
                best = (crossings, rows.clone());
            }
        }
        best.1
    }

    fn sort_row(&self, row: &mut [usize], neighbours: &[Vec<usize>], place: &[f32], first: bool) {
        let mut keyed: Vec<(f32, bool, usize, usize)> = row
            .iter()
            .enumerate()
            .map(|(at, &cell)| {
                let list = &neighbours[cell];
                let mean = if list.is_empty() {
                    if first { f32::INFINITY } else { place[cell] }
                } else {
                    list.iter().map(|&other| place[other]).sum::<f32>() / list.len() as f32
                };
                (mean, first && self.cells[cell].is_lane, at, cell)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        row.iter_mut().zip(keyed).for_each(|(slot, key)| *slot = key.3);
    }

    fn crossings(&self, rows: &[Vec<usize>], place: &[f32]) -> u64 {
        let mut total = 0;
        for (at, row) in rows.iter().enumerate() {
            let width = rows.get(at + 1).map_or(0, Vec::len);
            let mut tree = vec![0_u64; width + 1];
            let mut seen = 0;
            for &cell in row {
                let mut ends: Vec<usize> = self.down[cell].iter().map(|&below| whole(place[below])).collect();
                ends.sort_unstable();
                // All ends of one cell first look, then count: joints from one cell do not cross.
                for &end in &ends {
                    let mut not_right = 0;
                    let mut index = end + 1;
                    while index > 0 {
                        not_right += tree[index];
                        index &= index - 1;
                    }
                    total += seen - not_right;
                }
                for &end in &ends {
                    seen += 1;
                    let mut index = end + 1;
                    while index <= width {
                        tree[index] += 1;
                        index += index & index.wrapping_neg();
                    }
                }
            }
        }
        total
    }

    /// Joints (above, below) that must not be drawn straight: they cross a lane's own, or a skip would bend cards.
    fn weak_joints(&self, rows: &[Vec<usize>]) -> std::collections::HashSet<(usize, usize)> {
        let mut place = vec![0_usize; self.cells.len()];
        for row in rows {
            row.iter().enumerate().for_each(|(at, &cell)| place[cell] = at);
        }
        let mut weak = std::collections::HashSet::new();
        for (above, list) in self.down.iter().enumerate() {
            for &below in list {
                let (a, b) = (self.cells[above], self.cells[below]);
                let bends = match (a.is_lane, b.is_lane) {
                    (false, true) => !b.is_firm && list.iter().any(|&other| self.cells[other].is_firm),
                    (true, false) => !a.is_firm && self.up[below].iter().any(|&other| self.cells[other].is_firm),
                    _ => false,
                };
                if bends {
                    weak.insert((above, below));
                }
            }
        }
        // Between two rows, joints of lane and lane win over what crosses them.
        for row in rows {
            let inner: Vec<(usize, usize)> = row
                .iter()
                .filter(|&&cell| self.cells[cell].is_lane)
                .filter_map(|&cell| {
                    self.down[cell]
                        .first()
                        .filter(|&&below| self.cells[below].is_lane)
                        .map(|&b| (place[cell], place[b]))
                })
                .collect();
            if inner.is_empty() {
                continue;
            }
            for &cell in row {
                for &below in &self.down[cell] {
                    if self.cells[cell].is_lane && self.cells[below].is_lane {
                        continue;
                    }
                    let (from, to) = (place[cell], place[below]);
                    let at = inner.partition_point(|&(a, _)| a < from);
                    let crosses = at.checked_sub(1).and_then(|i| inner.get(i)).is_some_and(|&(_, b)| b > to)
                        || inner.get(at).is_some_and(|&(a, b)| a > from && b < to);
                    if crosses {
                        weak.insert((cell, below));
                    }
                }
            }
        }
        weak
    }

    /// One of the four extreme drawings: blocks of vertically aligned cells, packed to one side.
    fn one_sided(
        &self,
        rows: &[Vec<usize>],
        weak: &std::collections::HashSet<(usize, usize)>,
        upwards: bool,
        mirrored: bool,
        gap: f32,
    ) -> Vec<f32> {
        let mut rows: Vec<Vec<usize>> = rows.to_vec();
        if mirrored {
            rows.iter_mut().for_each(|row| row.reverse());
        }
        if upwards {
            rows.reverse();
        }
        let mut place = vec![0_usize; self.cells.len()];
        for row in &rows {
            row.iter().enumerate().for_each(|(at, &cell)| place[cell] = at);
        }
        let neighbours = if upwards { &self.down } else { &self.up };
        let mut root: Vec<usize> = (0..self.cells.len()).collect();
        let mut taken = vec![false; self.cells.len()];
        for row in &rows {
            let mut limit: Option<usize> = None;
            for &cell in row {
                let mut list: Vec<usize> = neighbours[cell]
                    .iter()
                    .copied()
                    .filter(|&other| !weak.contains(&if upwards { (cell, other) } else { (other, cell) }))
                    .collect();
                if list.is_empty() {
                    continue;
                }
                list.sort_by_key(|&other| place[other]);
                for middle in [(list.len() - 1) / 2, list.len() / 2] {
                    let other = list[middle];
                    if root[cell] == cell && !taken[other] && limit.is_none_or(|limit| limit < place[other]) {
                        taken[other] = true;
                        root[cell] = root[other];
                        limit = Some(place[other]);
                    }
                }
            }
        }
        self.pack(&rows, &root, gap)
    }

    /// Places blocks as far left as their order allows, then back right towards their neighbours.
    fn pack(&self, rows: &[Vec<usize>], root: &[usize], gap: f32) -> Vec<f32> {
        let count = self.cells.len();
        let mut after: Vec<Vec<(usize, f32)>> = vec![Vec::new(); count];
        let mut waiting = vec![0_usize; count];
        for row in rows {
            for pair in row.windows(2) {
                let (&[left, right], (a, b)) = (&[pair[0], pair[1]], (self.cells[pair[0]], self.cells[pair[1]]));
                let space = if a.is_lane || b.is_lane { gap / 2.0 } else { gap };
                after[root[left]].push((root[right], f32::midpoint(a.width, b.width) + space));
                waiting[root[right]] += 1;
            }
        }
        let mut x = vec![0.0_f32; count];
        let mut order: Vec<usize> = (0..count).filter(|&cell| root[cell] == cell && waiting[cell] == 0).collect();
        let mut next = 0;
        while let Some(&block) = order.get(next) {
            next += 1;
            for &(right, space) in &after[block] {
                x[right] = x[right].max(x[block] + space);
                waiting[right] -= 1;
                if waiting[right] == 0 {
                    order.push(right);
                }
            }
        }
        for &block in order.iter().rev() {
            let room = after[block].iter().map(|&(right, space)| x[right] - space).fold(f32::INFINITY, f32::min);
            if room.is_finite() {
                x[block] = x[block].max(room);
            }
        }
        (0..count).map(|cell| x[root[cell]]).collect()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a row are small whole numbers")]
fn whole(place: f32) -> usize {
    place as usize
}
