//! Formats times and ages for people. The current time is always an argument.

pub(crate) use model::utc_time::format_utc;

/// Microseconds since 1970-01-01 UTC.
pub(crate) type UnixMicros = i64;

/// `3 days`, `2 hours`, `5 minutes`, `12 seconds`: the two largest units that are not zero.
pub(crate) fn format_time_between(from: UnixMicros, to: UnixMicros) -> String {
    let seconds = (to.saturating_sub(from) / 1_000_000).max(0);
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let Some(first) = units.iter().position(|(count, _)| *count > 0) else {
        return "less than a second".to_owned();
    };
    let words: Vec<String> = units
        .iter()
        .skip(first)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    words.join(" ")
}

/// `1.2 s`, `340 ms`.
pub(crate) fn format_duration(micros: UnixMicros) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_name_the_two_largest_units() {
        let s = 1_000_000;
        assert_eq!(format_time_between(0, 0), "less than a second");
        assert_eq!(format_time_between(0, 61 * s), "1 minute 1 second");
        assert_eq!(format_time_between(0, 7200 * s), "2 hours");
        assert_eq!(format_time_between(0, (3 * 86_400 + 3600) * s), "3 days 1 hour");
        assert_eq!(
            format_time_between(10 * s, 0),
            "less than a second",
            "a clock that went back is not a negative age"
        );
    }
}
