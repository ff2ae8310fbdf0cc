//! Finding by a few letters: how well a query fits a text, and which letters it hit. Pure.

/// A hit: better is larger; and the indices of the characters that were hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) score: i32,
    pub(super) at: Vec<usize>,
}

/// Points for a letter that was hit.
const LETTER: i32 = 8;
/// More for the first letter of a word, and still more for the first of the text.
const WORD: i32 = 10;
const START: i32 = 6;
/// More for a letter right behind the last one.
const RUN: i32 = 12;
/// More for letters that stand together at the start of a word: "map" means feature maps before max pooling.
const WHOLE: i32 = 10;
/// Less for every letter that was left out in between, up to a limit.
const GAP: i32 = 1;
const MOST_GAP: i32 = 20;

/// Fits `query` to `text`: all its letters in this order, upper and lower case alike, words of the query anywhere in the text.
/// `None` if they are not there. An empty query fits everything.
pub(super) fn fit(query: &str, text: &str) -> Option<Hit> {
    let letters: Vec<char> = text.chars().collect();
    let folded: Vec<char> = letters.iter().map(|letter| fold(*letter)).collect();
    let mut total = Hit { score: 0, at: Vec::new() };
    for word in query.split_whitespace() {
        let wanted: Vec<char> = word.chars().map(fold).collect();
        let hit = best(&wanted, &letters, &folded)?;
        total.score += hit.score;
        total.at.extend(hit.at);
    }
    total.at.sort_unstable();
    total.at.dedup();
    // Of two equal fits the shorter text is meant.
    total.score -= i32::try_from(letters.len()).unwrap_or(i32::MAX) / 8;
    Some(total)
}

fn fold(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

/// The best of the fits that start at each place where the first letter is found; from there each letter takes its next
/// place, but a word's start further on if it has one.
fn best(wanted: &[char], letters: &[char], folded: &[char]) -> Option<Hit> {
    let first = wanted.first()?;
    let starts = (0..folded.len()).filter(|&at| folded.get(at) == Some(first));
    starts
        .flat_map(|start| {
            let greedy = from(wanted, letters, folded, start, false);
            [greedy, from(wanted, letters, folded, start, true)]
        })
        .flatten()
        .max_by_key(|hit| hit.score)
}

fn from(wanted: &[char], letters: &[char], folded: &[char], start: usize, jumps: bool) -> Option<Hit> {
    let mut hit = Hit { score: value(letters, start), at: vec![start] };
    let mut last = start;
    for letter in wanted.get(1..)? {
        let mut places = (last + 1..folded.len()).filter(|&at| folded.get(at) == Some(letter));
        let nearest = places.next()?;
        let is_run = nearest == last + 1;
        let leap = if jumps && !is_run && !is_word_start(letters, nearest) {
            places.find(|&at| is_word_start(letters, at))
        } else {
            None
        };
        let next = leap.unwrap_or(nearest);
        let gap = i32::try_from(next - last - 1).unwrap_or(MOST_GAP).min(MOST_GAP);
        hit.score += value(letters, next) - gap * GAP + if gap == 0 { RUN } else { 0 };
        hit.at.push(next);
        last = next;
    }
    if last - start + 1 == wanted.len() && wanted.len() > 1 && is_word_start(letters, start) {
        hit.score += WHOLE;
    }
    Some(hit)
}

fn value(letters: &[char], at: usize) -> i32 {
    LETTER + if is_word_start(letters, at) { WORD } else { 0 } + if at == 0 { START } else { 0 }
}

fn is_word_start(letters: &[char], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| letters.get(before)) else { return true };
    let Some(here) = letters.get(at) else { return false };
    !before.is_alphanumeric()
        || (before.is_lowercase() && here.is_uppercase())
        || (before.is_alphabetic() && here.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first<'a>(query: &str, texts: &[&'a str]) -> &'a str {
        let scored = texts.iter().filter_map(|text| fit(query, text).map(|hit| (hit.score, *text)));
        scored.max_by_key(|(score, _)| *score).unwrap().1
    }

    #[test]
    fn first_letters_and_runs_come_before_scattered_ones() {
        assert_eq!(first("gap", &["Global average pooling", "Group normalization apart"]), "Global average pooling");
        assert_eq!(first("save", &["Stop and keep best, average", "Save", "Save as…"]), "Save");
        assert_eq!(first("conv", &["Transposed conv", "Conv2D", "Continue over"]), "Conv2D");
        assert_eq!(first("map", &["Max pooling", "Feature maps", "Minimap"]), "Feature maps");
        assert_eq!(first("lr", &["Colour", "Learning rate"]), "Learning rate");
    }

    #[test]
    fn all_letters_must_be_there_in_their_order() {
        assert_eq!(fit("xz", "Conv2D"), None);
        assert_eq!(fit("vc", "conv"), None);
        assert_eq!(fit("C2", "conv2d").map(|hit| hit.at), Some(vec![0, 4]));
        assert_eq!(fit("rate learn", "Learning rate").map(|hit| hit.at.len()), Some(9));
    }
}
