//! Times for people: how long ago, with the exact time beside it.

use time::{OffsetDateTime, UtcDateTime};

/// A time as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeText {
    /// `4 min ago`
    pub(super) relative: String,
    /// `2026-12-01 14:00:41 UTC`
    pub(super) exact: String,
}

/// A time in microseconds since 1970-01-01 UTC, seen at `now_us`.
pub(super) fn time_text(at_us: i64, now_us: i64) -> TimeText {
    let seconds = now_us.saturating_sub(at_us) / 1_000_000;
    let distance = duration_words(seconds.unsigned_abs());
    let relative = match seconds {
        0..=1 => "now".to_owned(),
        2.. => format!("{distance} ago"),
        _ => format!("in {distance}"),
    };
    TimeText { relative, exact: exact_utc(at_us) }
}

/// `2026-12-01 14:00:41 UTC`
fn exact_utc(at_us: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at_us.div_euclid(1_000_000)) else {
        return "a time that no calendar has".to_owned();
    };
    let at = UtcDateTime::from(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// A number of seconds in its largest unit: `4 min`.
fn duration_words(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How long something took: `0.7 s`.
pub(super) fn duration_text(duration_us: i64) -> String {
    let tenths = duration_us.max(0) / 100_000;
    match tenths {
        0..600 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => duration_words((tenths / 10).unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_distance_and_exactly() {
        const NOW: i64 = 1_764_590_441_000_000;
        let relative = |seconds: i64| time_text(NOW - seconds * 1_000_000, NOW).relative;
        assert_eq!(relative(0), "now");
        assert_eq!(relative(59), "59 s ago");
        assert_eq!(relative(240), "4 min ago");
        assert_eq!(relative(7_300), "2 h ago");
        assert_eq!(relative(700_000), "8 days ago");
        assert_eq!(relative(-120), "in 2 min");
        assert_eq!(time_text(NOW, NOW).exact, "2025-12-01 12:00:41 UTC");
        assert_eq!(time_text(i64::MAX, NOW).exact, "a time that no calendar has");
        assert_eq!(
            (duration_text(730_000), duration_text(61_000_000)),
            ("0.7 s".to_owned(), "1 min".to_owned())
        );
    }
}
