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

fn scaled(value: u64, units: &[(u64, &str)]) -> Option<String> {
    let (unit, name) = units.iter().find(|(unit, _)| value >= *unit)?;
    Some(format!("{:.2} {name}", value as f64 / *unit as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_the_book() {
        assert_eq!(count(903_400), "903,400");
        assert_eq!(count(3_657_830_500), "3,657,830,500");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(12_613_600), "12.61 MB");
        assert_eq!(bytes(565_613_600), "565.61 MB");
        assert_eq!(binary_bytes(1 << 20), "1.00 MiB");
        assert_eq!(duration(125.0), "2 min 05 s");
        assert_eq!(duration(3_840.0), "1 h 04 min");
    }
}
