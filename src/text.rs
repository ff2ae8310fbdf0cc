//! Numbers as people read them: thousands separators, units, always labelled. MB is 10⁶ bytes, MiB is 2²⁰.

/// A count with thousands separators: `1,625,866`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What [`count`] or a person wrote: separators may stand where they separate thousands, and nowhere else.
pub fn read_count(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (whole, _) = text.split_once('.').unwrap_or((&text, ""));
    let mut groups = whole.split(',').skip(1);
    groups.all(|group| group.len() == 3).then(|| text.replace(',', "").parse().ok()).flatten()
}

/// A count with what is counted, in the singular where there is one of it: `1 layer`, `1,024 layers`.
pub fn counted(value: u64, what: &str) -> String {
    format!("{} {what}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A count in few characters: `1.63 M`.
pub fn short_count(value: u64) -> String {
    scaled(value, &[(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")])
        .unwrap_or_else(|| value.to_string())
}

/// Bytes with a decimal unit: `12.61 MB`.
pub fn bytes(value: u64) -> String {
    scaled(value, &[(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")])
        .unwrap_or_else(|| format!("{value} B"))
}

/// Bytes with a binary unit: `12.03 MiB`.
pub fn binary_bytes(value: u64) -> String {
    scaled(value, &[(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")])
        .unwrap_or_else(|| format!("{value} B"))
}

/// A duration: `3 s`, `2 min 05 s`, `1 h 04 min`.
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "unknown".into();
    }
    if secs < 10.0 {
        return format!("{secs:.1} s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be finite and positive; saturates"
    )]
    let whole = secs.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, secs) => format!("{secs} s"),
        (0, minutes, secs) => format!("{minutes} min {secs:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// A text with a capital at its start.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How long ago a time (seconds since 1970) was: `just now`, `5 min ago`, `3 h ago`, `12 days ago`, then the date.
pub fn ago(secs: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    match now.saturating_sub(secs) {
        0..60 => "just now".into(),
        past @ 60..3_600 => format!("{} min ago", past / 60),
        past @ 3_600..86_400 => format!("{} h ago", past / 3_600),
        86_400..172_800 => "1 day ago".into(),
        past @ 172_800..2_592_000 => format!("{} days ago", past / 86_400),
        _ => date(secs).chars().take(10).collect(),
    }
}

/// A time (seconds since 1970) as a date: `2026-11-24 20:55 UTC`.
///
/// # Source
/// Howard Hinnant, chrono-compatible low-level date algorithms (`civil_from_days`).
pub fn date(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    // Days are counted from 0000-03-01, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3_600, rest / 60 % 60)
}

fn scaled(value: u64, units: &[(u64, &str)]) -> Option<String> {
    let (unit, name) = units.iter().find(|(unit, _)| value >= *unit)?;
    Some(format!("{:.2} {name}", value as f64 / *unit as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_it_is_written_and_a_decimal_comma_is_no_separator() {
        for value in [0, 7, 999, 1_000, 100_000, 1_234_567] {
            assert_eq!(read_count(&count(value)), Some(value as f64));
        }
        assert_eq!(
            (read_count(" 64 "), read_count("1 000"), read_count("12.5")),
            (Some(64.0), Some(1_000.0), Some(12.5))
        );
        for text in ["0,5", "1,00", "1,0000", "a", ""] {
            assert_eq!(read_count(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_read_as_in_the_book() {
        assert_eq!(count(903_400), "903,400");
        assert_eq!(count(3_657_830_500), "3,657,830,500");
        assert_eq!(count(12), "12");
        assert_eq!([0, 1, 2_000].map(|count| counted(count, "layer")), ["0 layers", "1 layer", "2,000 layers"]);
        assert_eq!(bytes(12_613_600), "12.61 MB");
        assert_eq!(bytes(565_613_600), "565.61 MB");
        assert_eq!(binary_bytes(1 << 20), "1.00 MiB");
        assert_eq!(duration(125.0), "2 min 05 s");
        assert_eq!(duration(3_840.0), "1 h 04 min");
    }

    #[test]
    fn seconds_become_dates_across_leap_years() {
        // `date -u -d @…` of GNU coreutils.
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_709_251_199), "2024-02-29 23:59 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00 UTC");
    }
}
