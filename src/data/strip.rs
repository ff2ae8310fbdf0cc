//! The strip that shows what happens to an image on its way to the network. Only for people: nothing is trained on it.

use super::{Picture, Preprocessor};

/// One picture of the strip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripStep {
    /// What was done.
    pub title: String,
    /// Size, or the range of values.
    pub note: String,
    /// The result.
    pub picture: Picture,
}

impl StripStep {
    pub(super) fn of(title: &str, picture: Picture) -> Self {
        Self { title: title.into(), note: picture.size_text(), picture }
    }
}

impl Preprocessor {
    /// What happens to an upright picture: colours, inversion and size where they change, then normalisation, shown
    /// stretched from its smallest to its largest value.
    pub fn strip(&self, picture: &Picture) -> Vec<StripStep> {
        let mut steps = Vec::new();
        let mut current = self.coloured(picture);
        if current.channels() != picture.channels() {
            steps.push(StripStep::of(if current.channels() == 1 { "Gray" } else { "RGB" }, current.clone()));
        }
        if self.invert(&mut current) {
            steps.push(StripStep::of("Inverted", current.clone()));
        }
        let sized = self.resized(&current);
        if (sized.width(), sized.height()) != (current.width(), current.height()) {
            steps.push(StripStep::of(self.resize_title(&current), sized.clone()));
        }
        let mut values = Vec::new();
        self.normalise_into(&sized, &mut values);
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        steps.push(StripStep {
            title: "Normalised".into(),
            note: format!("{low:.2} … {high:.2}"),
            picture: stretched(&values, &sized, low, high),
        });
        steps
    }
}

/// Planes of values as an 8-bit picture of the same size, `low` black and `high` white.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
fn stretched(values: &[f32], sized: &Picture, low: f32, high: f32) -> Picture {
    let channels = sized.channels() as usize;
    let plane = values.len() / channels;
    let range = (high - low).max(f32::MIN_POSITIVE);
    let mut result = Picture::black(sized.width(), sized.height(), sized.channels());
    for (at, pixel) in result.pixels_mut().iter_mut().enumerate() {
        let value = values.get(at % channels * plane + at / channels).copied().unwrap_or(low);
        *pixel = ((value - low) / range * 255.0).round() as u8;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Split};
    use crate::graph::{DataSpec, Preprocess};
    use crate::op::Shape;

    #[test]
    fn the_strip_of_a_digit_goes_from_stored_to_normalised() {
        // Mean 0.5 and deviation 0.5 take black to -1; the brightest pixel cannot pass (1 - 0.5) / 0.5 = 1.
        let preprocess = Preprocess { mean: vec![0.5], std: vec![0.5], ..Preprocess::default() };
        let spec = DataSpec { preprocess, ..DataSpec::default() };
        let data = Dataset::open(&spec, &Shape::map(1, 32, 32), 1).unwrap();
        let strip = data.strip(Split::Test, 0).unwrap();
        let titles: Vec<_> = strip.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(titles, ["Stored", "Padded", "Normalised"]);
        assert_eq!((strip[0].note.as_str(), strip[1].note.as_str()), ("28 × 28 × 1", "32 × 32 × 1"));
        assert!(strip[2].note.starts_with("-1.00 … "), "{}", strip[2].note);
        assert!(strip[2].picture.pixels().contains(&255) && strip[2].picture.pixels().contains(&0));
    }

    #[test]
    fn steps_that_change_nothing_are_not_shown() {
        let preprocessor = Preprocessor::from_spec(&Preprocess::default(), &Shape::map(3, 1, 2)).unwrap();
        let picture = Picture::new(2, 1, 3, vec![0, 51, 102, 153, 204, 255]).unwrap();
        let strip = preprocessor.strip(&picture);
        assert_eq!(strip.len(), 1);
        assert_eq!(strip[0].note, "0.00 … 1.00");
        // Already from 0 to 255: stretching leaves it as it was.
        assert_eq!(strip[0].picture, picture);
    }

    #[test]
    fn colour_size_and_inversion_each_have_their_picture() {
        let spec = Preprocess { invert: true, ..Preprocess::default() };
        let preprocessor = Preprocessor::from_spec(&spec, &Shape::map(1, 4, 4)).unwrap();
        let paper = Picture::new(8, 8, 3, vec![250; 192]).unwrap();
        let titles: Vec<_> = preprocessor.strip(&paper).into_iter().map(|step| step.title).collect();
        assert_eq!(titles, ["Gray", "Inverted", "Scaled to fit and padded", "Normalised"]);
    }
}
