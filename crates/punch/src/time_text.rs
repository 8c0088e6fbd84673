//! Formats times and ages for people, and reads the times they type. The current time is always an argument.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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

/// A point in time that somebody types: how long from now (`30m`, `4h`, `2d`), or a time in UTC (`2026-12-24T08:00Z`).
pub(crate) fn parse_duration_or_utc(text: &str, now: UnixMicros) -> Option<UnixMicros> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let duration = units.into_iter().find_map(|(unit, seconds)| {
        let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
        Some(i64::from(count) * seconds * 1_000_000)
    });
    match duration {
        Some(duration) => now.checked_add(duration),
        None => parse_utc(text),
    }
}

/// Reads `2026-11-23`, `2026-11-23T09:08`, `2026-11-23T09:08:16` or the same with a space, with or without `Z` or ` UTC` at
/// the end; `None` for anything else, and for days and hours that there are not.
fn parse_utc(text: &str) -> Option<UnixMicros> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let text = text.replace(' ', "T");
    let completed = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => return None,
    };
    let seconds = OffsetDateTime::parse(&completed, &Rfc3339).ok()?.unix_timestamp();
    seconds.checked_mul(1_000_000)
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
    fn durations_and_times_are_points_in_time() {
        assert_eq!(parse_duration_or_utc("90m", 5), Some(5_400_000_005));
        assert_eq!(parse_duration_or_utc("2d", 0), Some(172_800_000_000));
        assert_eq!(parse_duration_or_utc("1970-01-02", 99), Some(86_400_000_000));
        for wrong in ["", "h", "-1h", "1.5h", "4 h", "99999999999d", "tomorrow"] {
            assert_eq!(parse_duration_or_utc(wrong, 0), None, "{wrong}");
        }
    }

    #[test]
    fn times_of_utc_are_read_and_days_that_there_are_not_are_refused() {
        assert_eq!(parse_utc("1970-01-01"), Some(0));
        assert_eq!(parse_utc("2000-02-29"), Some(951_782_400_000_000));
        for text in ["2026-11-23T08:28:16Z", "2026-11-23 08:28:16 UTC", "2026-11-23T08:28:16"] {
            assert_eq!(parse_utc(text), Some(1_795_422_496_000_000), "{text}");
        }
        assert_eq!(parse_utc("2026-11-23T08:28Z"), Some(1_795_422_480_000_000));
        let wrong =
            ["", "2026", "2026-02-29", "2026-13-01", "2026-1-1", "2026-01-01T24:00", "2026-01-01T8:00", "x"];
        for wrong in wrong {
            assert_eq!(parse_utc(wrong), None, "{wrong}");
        }
    }

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
