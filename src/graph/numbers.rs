//! JSON whose fractions keep their last digit.
//!
//! serde_json reads a fraction of more than 15 digits to within one unit in the last place; its feature `float_roundtrip`
//! mends that, but half of the dependencies would be built anew for it. So such numbers are read by the standard library: they
//! pass serde_json as marked texts.

use serde_json::{Number, Value};

/// The character that marks a number, in the only way in which JSON spells it. A marked number begins with one more of
/// them than stand side by side anywhere in the text, so that nothing else can be taken for one.
const ZERO: &str = "\\u0000";
/// A text with more of them side by side is read as serde_json does.
const MOST_ZEROS: usize = 16;

/// Reads a JSON value; every number is the nearest `f64` to what stands there, if it is no whole number of 64 bits.
///
/// # Errors
/// The text is not JSON.
pub(super) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let zeros = longest_run(text) + 1;
    let marked = if zeros > MOST_ZEROS { None } else { mark(text, &ZERO.repeat(zeros)) };
    let Some(marked) = marked else { return serde_json::from_str(text) };
    match serde_json::from_str(&marked) {
        Ok(mut value) => {
            unmark(&mut value, &"\0".repeat(zeros));
            Ok(value)
        }
        // Places are told as they are in the text itself.
        Err(_) => serde_json::from_str(text),
    }
}

/// Most marking characters side by side in a text.
fn longest_run(text: &str) -> usize {
    let (mut longest, mut run, mut end) = (0, 0, None);
    for (at, _) in text.match_indices(ZERO) {
        run = if end == Some(at) { run + 1 } else { 1 };
        end = Some(at + ZERO.len());
        longest = longest.max(run);
    }
    longest
}

/// The text with every number that needs it as a marked text; none if there is no such number.
fn mark(text: &str, mark: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut marked, mut taken, mut at) = (String::new(), 0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let rest = bytes.get(at..).unwrap_or_default();
                let end = at + rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
                let number = text.get(at..end).unwrap_or_default();
                if is_inexact(number) {
                    marked.push_str(text.get(taken..at).unwrap_or_default());
                    marked.push_str(&format!("\"{mark}{number}\""));
                    taken = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    marked.push_str(text.get(taken..).unwrap_or_default());
    (taken > 0).then_some(marked)
}

/// Where the text that begins here ends.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return at + 1,
            Some(_) => at += 1,
        }
    }
}

/// Whether serde_json could miss the nearest `f64`. What is no number, or none that `f64` holds, is left to it.
fn is_inexact(number: &str) -> bool {
    let is_whole = number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok();
    let is_short = number.len() <= 15 && !number.contains(['e', 'E']);
    !is_whole && !is_short && is_json(number) && number.parse::<f64>().is_ok_and(f64::is_finite)
}

/// RFC 8259, section 6: an optional minus, whole digits without a leading zero, then fraction and exponent if any.
fn is_json(number: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (number, None),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn unmark(value: &mut Value, mark: &str) {
    match value {
        Value::String(text) => {
            let number = text.strip_prefix(mark).and_then(|number| number.parse().ok()).and_then(Number::from_f64);
            if let Some(number) = number {
                *value = Value::Number(number);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| unmark(value, mark)),
        Value::Object(map) => map.values_mut().for_each(|value| unmark(value, mark)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all sizes: what is read and written is what the standard library reads, bit for bit.
    #[test]
    fn every_number_survives_reading_and_writing_to_the_last_bit() {
        // Knuth's 64-bit generator (MMIX).
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(state);
            if !number.is_finite() {
                continue;
            }
            let text = format!("{{\"a\": [{number:e}, \"1.5e3\"], \"b\": {}}}", number.fract());
            let read = parse(&text).unwrap();
            let again: Value = parse(&read.to_string()).unwrap();
            for read in [read, again] {
                assert_eq!(read["a"][0].as_f64().map(f64::to_bits), Some(number.to_bits()), "{text}");
                assert_eq!(read["b"].as_f64().map(f64::to_bits), Some(number.fract().to_bits()), "{text}");
                assert_eq!(read["a"][1], "1.5e3");
            }
        }
    }

    #[test]
    fn whole_numbers_stay_whole_and_texts_stay_texts() {
        let text = r#"{"1.00000000000000001": "2.00000000000000001 \" 3.00000000000000001", "n": [0, -1, 18446744073709551615,
            -9223372036854775808, 0.5, 123456789012345678901234]}"#;
        let (ours, theirs) = (parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(ours["1.00000000000000001"], "2.00000000000000001 \" 3.00000000000000001");
        assert_eq!(ours["n"].as_array().unwrap()[..5], theirs["n"].as_array().unwrap()[..5]);
        assert!(ours["n"][2].is_u64() && ours["n"][3].is_i64());
        assert_eq!(ours["n"][5].as_f64(), Some(123_456_789_012_345_678_901_234.0));
    }

    /// Found by fuzzing: a text with the mark itself in it was read without care for last digits.
    #[test]
    fn a_text_that_holds_the_mark_is_read_as_exactly_as_any_other() {
        let text =
            r#"{"a": "\u00001.5", "b": "\u0000\u0000\u00002.5", "n": 111111111111111111111111111111111111111111111}"#;
        let read = parse(text).unwrap();
        assert_eq!((&read["a"], &read["b"]), (&Value::from("\u{0}1.5"), &Value::from("\u{0}\u{0}\u{0}2.5")));
        // 1.11…e44 as the standard library reads it.
        assert_eq!(read["n"].as_f64(), Some(111_111_111_111_111_111_111_111_111_111_111_111_111_111_111.0));
        // More of them than anybody writes cost neither time nor memory.
        let many = format!("[\"{}\", 1.00000000000000001]", ZERO.repeat(100_000));
        assert_eq!(parse(&many).unwrap()[1].as_f64(), Some(1.0));
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_stands() {
        for text in [
            "[1.00000000000000001, 01.00000000000000001]",
            "[1.00000000000000001.5]",
            "{\"a\": 1.00000000000000001",
            "[1.00000000000000001e]",
            "[1.00000000000000001, 1e999]",
            "[\"1.00000000000000001]",
            "1.00000000000000001 x",
            "-",
        ] {
            let (ours, theirs) = (parse(text).unwrap_err(), serde_json::from_str::<Value>(text).unwrap_err());
            assert_eq!(ours.to_string(), theirs.to_string(), "{text}");
        }
    }
}
