//! Formats times and ages for people. The current time is always an argument.

/// Microseconds since 1970-01-01 UTC.
pub(crate) type UnixMicros = i64;

/// `2026-11-23 09:08:16 UTC`.
pub(crate) fn format_utc(at: UnixMicros) -> String {
    let seconds = at.div_euclid(1_000_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

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

/// Days since 1970-01-01 to year, month and day of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(format_utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(format_utc(951_782_399_999_999), "2000-02-28 23:59:59 UTC");
        assert_eq!(format_utc(951_782_400_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(format_utc(1_795_422_496_000_000), "2026-11-23 08:28:16 UTC");
        assert_eq!(format_utc(-1), "1969-12-31 23:59:59 UTC");
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
