//! A short round of the fuzz targets with a fixed seed: good inputs, damaged in the ways that files are damaged. The long
//! runs, guided by coverage, are `scripts/fuzz.sh`.

#[path = "../fuzz/targets/readers.rs"]
#[expect(dead_code, reason = "the long runs write their first inputs to files")]
mod readers;

use striate::data::Split;
use striate::engine::channel::write_message;
use striate::engine::protocol::{Command, DeviceChoice, Event, ImageRef, LogLevel, ProbeRequest, RunId, TrainRequest};

/// Inputs of each target.
const ROUNDS: u32 = 3_000;

/// Xorshift: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % limit.max(1)
    }
}

/// Damages bytes: flips, cuts, repeats, swaps in numbers at the edge, joins with another input.
fn damage(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let (at, to) = (numbers.below(bytes.len()), numbers.below(bytes.len()));
        let (from, end) = (at.min(to), at.max(to).min(at.min(to) + 200));
        match numbers.below(8) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(from..end)),
            3 => {
                let part = bytes.get(from..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let edge: [&[u8]; 6] = [b"0", b"-1", b"18446744073709551615", b"1e999", b"null", b"[]"];
                let edge = edge.get(numbers.below(6)).copied().unwrap_or_default();
                // In place of a number, where there is one.
                let digits = bytes.iter().skip(at).position(u8::is_ascii_digit).map_or(at, |next| at + next);
                let end =
                    bytes.iter().skip(digits).position(|byte| !byte.is_ascii_digit()).map_or(digits, |n| digits + n);
                bytes.splice(digits..end, edge.iter().copied());
            }
            5 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
            6 => {
                let part = other.get(numbers.below(other.len())..).unwrap_or_default();
                bytes.truncate(at);
                bytes.extend_from_slice(part);
            }
            _ => {
                let byte = numbers.next().to_le_bytes()[0];
                bytes.insert(at, byte);
            }
        }
    }
}

fn round(seeds: &[Vec<u8>], seed: u64, mut target: impl FnMut(&[u8])) {
    let mut numbers = Numbers(seed);
    for seed in seeds {
        target(seed);
    }
    for _ in 0..ROUNDS {
        let mut bytes = seeds.get(numbers.below(seeds.len())).cloned().unwrap_or_default();
        let other = seeds.get(numbers.below(seeds.len())).map_or(&[][..], Vec::as_slice);
        damage(&mut bytes, other, &mut numbers);
        target(&bytes);
    }
}

#[test]
fn damaged_documents_are_read_or_refused() {
    let presets = striate::presets::ALL.iter().filter_map(|preset| striate::presets::find(preset.id));
    let seeds: Vec<Vec<u8>> = presets.map(|document| document.to_json().into_bytes()).collect();
    assert!(seeds.len() >= 4);
    round(&seeds, 11, readers::document);
}

#[test]
fn damaged_layers_on_the_clipboard_are_read_or_refused() {
    let seeds = readers::layers_seeds();
    assert!(seeds.len() >= 4);
    round(&seeds, 19, readers::layers);
}

#[test]
fn damaged_files_of_a_run_are_read_or_refused() {
    let folder = readers::scratch();
    round(&readers::run_seeds(), 23, |bytes| readers::run(bytes, folder.path()));
}

#[test]
fn damaged_pictures_are_read_or_refused() {
    let folder = readers::scratch();
    round(&readers::picture_seeds(), 29, |bytes| readers::picture(bytes, folder.path()));
}

#[test]
fn damaged_idx_files_are_read_or_refused() {
    let folder = readers::scratch();
    round(&readers::idx_seeds(), 13, |bytes| readers::idx(bytes, folder.path()));
}

#[test]
fn damaged_messages_are_read_or_refused() {
    let mut commands = Vec::new();
    let image = ImageRef::Item { split: Split::Test, index: 3 };
    for command in [
        Command::Open { device: DeviceChoice::Named("Radeon".into()), threads: Some(2) },
        Command::Train { run: RunId(7), request: Box::new(TrainRequest::new("{}".into(), "runs/a".into())) },
        Command::Probe(Box::new(ProbeRequest::new(image, vec!["conv1".into()]))),
        Command::SetLearningRate(0.5),
    ] {
        assert!(write_message(&mut commands, &command).is_ok());
    }
    let mut events = Vec::new();
    for event in [
        Event::Preparing { run: RunId(1), what: "reading".into() },
        Event::Log { level: LogLevel::Warn, text: "a line".into() },
        Event::Steps { run: RunId(1), steps: Vec::new() },
    ] {
        assert!(write_message(&mut events, &event).is_ok());
    }
    round(&[commands, events], 17, readers::protocol);
}
