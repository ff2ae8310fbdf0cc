//! What the validation images became at the end of an epoch: who is taken for whom, examples, scores. Plain counting.

use serde::{Deserialize, Serialize};

/// Examples kept of each cell of the confusion matrix.
const EXAMPLES_PER_CELL: usize = 12;
/// Confident mistakes kept whatever their cells.
const WORST: usize = 60;
/// Most examples kept of mistakes, and of right answers: with a thousand classes a few of each cell would be too many.
const MOST: usize = 3_000;
/// Most classes that a file may tell of: scores of each are counted in memory.
const MOST_CLASSES: u32 = 1 << 16;

/// What the network said of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u64, u32, u32, f32)", into = "(u64, u32, u32, f32)")]
pub struct Answer {
    /// Place in the split.
    pub index: u64,
    /// What it is.
    pub truth: u32,
    /// What the network says.
    pub guess: u32,
    /// How sure it is of that, 0 to 1.
    pub probability: f32,
}

impl From<(u64, u32, u32, f32)> for Answer {
    fn from((index, truth, guess, probability): (u64, u32, u32, f32)) -> Self {
        Self { index, truth, guess, probability }
    }
}

impl From<Answer> for (u64, u32, u32, f32) {
    fn from(answer: Answer) -> Self {
        (answer.index, answer.truth, answer.guess, answer.probability)
    }
}

impl Answer {
    /// Whether it is right.
    pub fn is_right(&self) -> bool {
        self.truth == self.guess
    }
}

/// How well one class is known. A share of nothing is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// Of the images that were called this class, the share that are.
    pub precision: Option<f64>,
    /// Of the images of this class, the share that were called so.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Images of this class.
    pub images: u64,
    /// Images that were called this class.
    pub called: u64,
}

/// The validation images at the end of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochResults {
    /// Epoch, the first is 1.
    pub epoch: u32,
    /// Steps done then.
    pub step: u64,
    /// Number of classes.
    pub classes: u32,
    /// Cells of the confusion matrix that are not 0, in order: truth, guess, images.
    pub cells: Vec<(u32, u32, u64)>,
    /// A few images of each cell: mistakes the surest first, then right answers the least sure first.
    pub examples: Vec<Answer>,
}

impl EpochResults {
    /// Counts the answers to all validation images.
    pub fn count(epoch: u32, step: u64, classes: u32, mut answers: Vec<Answer>) -> Self {
        answers.retain(|answer| answer.truth < classes && answer.guess < classes);
        answers.sort_by(|a, b| {
            let sure = a.probability.total_cmp(&b.probability);
            let sure = if a.is_right() { sure } else { sure.reverse() };
            a.is_right().cmp(&b.is_right()).then(sure).then(a.index.cmp(&b.index))
        });
        let mut counts = std::collections::BTreeMap::<(u32, u32), u64>::new();
        let mut examples = Vec::new();
        // Mistakes that were seen, mistakes that were kept, right answers that were kept.
        let (mut mistakes, mut kept) = (0, [0_usize; 2]);
        for answer in answers {
            let count = counts.entry((answer.truth, answer.guess)).or_default();
            *count += 1;
            mistakes += usize::from(!answer.is_right());
            let is_among_worst = !answer.is_right() && mistakes <= WORST;
            let kept = &mut kept[usize::from(answer.is_right())];
            if (*count <= EXAMPLES_PER_CELL as u64 || is_among_worst) && *kept < MOST {
                *kept += 1;
                examples.push(answer);
            }
        }
        let cells = counts.into_iter().map(|((truth, guess), count)| (truth, guess, count)).collect();
        Self { epoch, step, classes, cells, examples }
    }

    /// Images of a class that were called another (or the same).
    pub fn at(&self, truth: u32, guess: u32) -> u64 {
        let found = self.cells.binary_search_by_key(&(truth, guess), |&(truth, guess, _)| (truth, guess));
        found.ok().and_then(|at| self.cells.get(at)).map_or(0, |cell| cell.2)
    }

    /// All images, and those that were right.
    pub fn totals(&self) -> (u64, u64) {
        self.cells.iter().fold((0, 0), |(all, right), &(truth, guess, count)| {
            (all + count, right + if truth == guess { count } else { 0 })
        })
    }

    /// Pairs that are confused, most images first: truth, guess, images.
    pub fn confused(&self) -> Vec<(u32, u32, u64)> {
        let mut pairs: Vec<_> = self.cells.iter().copied().filter(|(truth, guess, _)| truth != guess).collect();
        pairs.sort_by_key(|&(truth, guess, count)| (std::cmp::Reverse(count), truth, guess));
        pairs
    }

    /// Mistakes that are kept, the surest first.
    pub fn worst(&self) -> impl Iterator<Item = &Answer> {
        self.examples.iter().filter(|answer| !answer.is_right())
    }

    /// Images that are kept of one cell.
    pub fn examples_of(&self, truth: u32, guess: u32) -> impl Iterator<Item = &Answer> {
        self.examples.iter().filter(move |answer| (answer.truth, answer.guess) == (truth, guess))
    }

    /// Whether the figures fit each other and the memory: what a damaged file says may be anything.
    pub fn is_sound(&self) -> bool {
        let fits = |class: u32| class < self.classes;
        let images = self.cells.iter().try_fold(0_u64, |sum, cell| sum.checked_add(cell.2));
        self.classes <= MOST_CLASSES
            && images.is_some_and(|images| images <= u64::MAX / 2)
            && self.cells.iter().all(|&(truth, guess, _)| fits(truth) && fits(guess))
            && self.examples.iter().all(|answer| fits(answer.truth) && fits(answer.guess))
    }

    /// Scores of every class.
    ///
    /// # Source
    /// van Rijsbergen, Information Retrieval (1979): precision, recall, and F as their harmonic mean.
    pub fn scores(&self) -> Vec<ClassScores> {
        let mut scores = vec![ClassScores::default(); self.classes as usize];
        let mut right = vec![0_u64; scores.len()];
        for &(truth, guess, count) in &self.cells {
            if let Some(score) = scores.get_mut(truth as usize) {
                score.images += count;
            }
            if let Some(score) = scores.get_mut(guess as usize) {
                score.called += count;
            }
            if let (true, Some(right)) = (truth == guess, right.get_mut(truth as usize)) {
                *right += count;
            }
        }
        for (score, right) in scores.iter_mut().zip(right) {
            let share = |of: u64| (of > 0).then(|| right as f64 / of as f64);
            (score.precision, score.recall) = (share(score.called), share(score.images));
            // 2 / (1/p + 1/r) = 2 right / (called + images)
            score.f1 = share(score.called + score.images).map(|half| half * 2.0);
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(index: u64, truth: u32, guess: u32, probability: f32) -> Answer {
        Answer { index, truth, guess, probability }
    }

    /// Three cats (0), of which one is called a dog (1); two dogs, of which one is called a cat; no bird (2).
    fn pets() -> EpochResults {
        let answers = vec![
            answer(0, 0, 0, 0.9),
            answer(1, 0, 0, 0.6),
            answer(2, 0, 1, 0.7),
            answer(3, 1, 1, 0.8),
            answer(4, 1, 0, 0.95),
        ];
        EpochResults::count(3, 30, 3, answers)
    }

    #[test]
    fn scores_are_those_of_the_textbook() {
        let results = pets();
        assert_eq!(results.totals(), (5, 3));
        assert_eq!((results.at(0, 0), results.at(0, 1), results.at(2, 2)), (2, 1, 0));
        let scores = results.scores();
        // Cat: 2 right of 3 called cat, of 3 cats: 2/3, 2/3, F1 2/3. Dog: 1 of 2 called, of 2: one half.
        let close = |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-12, "{found:?}");
        close(scores[0].precision, 2.0 / 3.0);
        close(scores[0].recall, 2.0 / 3.0);
        close(scores[0].f1, 2.0 / 3.0);
        close(scores[1].f1, 0.5);
        assert_eq!((scores[2].precision, scores[2].recall, scores[2].f1), (None, None, None));
    }

    #[test]
    fn mistakes_come_the_surest_first_and_right_answers_the_least_sure_first() {
        let results = pets();
        assert_eq!(results.worst().map(|answer| answer.index).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(results.examples_of(0, 0).map(|answer| answer.index).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(results.confused(), [(0, 1, 1), (1, 0, 1)]);
    }

    #[test]
    fn of_many_images_in_a_cell_only_a_few_are_kept_but_all_are_counted() {
        let answers = (0..1_000_u16).map(|n| answer(u64::from(n), 0, 0, f32::from(n) / 1_000.0)).collect();
        let results = EpochResults::count(1, 1, 2, answers);
        assert_eq!((results.at(0, 0), results.examples.len()), (1_000, EXAMPLES_PER_CELL));
        assert_eq!(results.examples[0].index, 0);
    }

    #[test]
    fn results_survive_json_and_postcard() {
        let results = pets();
        let json = serde_json::to_string(&results).unwrap();
        assert!(json.contains("[4,1,0,0.95]"), "{json}");
        assert_eq!(serde_json::from_str::<EpochResults>(&json).unwrap(), results);
        let bytes = postcard::to_stdvec(&results).unwrap();
        assert_eq!(postcard::from_bytes::<EpochResults>(&bytes).unwrap(), results);
    }
}
