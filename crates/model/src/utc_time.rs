//! Formats and reads points in time.

/// `2026-11-23 09:08:16 UTC`, of microseconds since 1970-01-01 UTC.
pub fn format_utc(at_us: i64) -> String {
    let seconds = at_us.div_euclid(1_000_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Reads `2026-11-23`, `2026-11-23T09:08`, `2026-11-23T09:08:16` or the same with a space, with or without `Z` or ` UTC`
/// at the end, as microseconds since 1970-01-01 UTC; `None` for anything else, and for days and hours that there are not.
pub fn parse_utc(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let time = numbers(time, ':', &[2, 2, 2]).or_else(|| numbers(time, ':', &[2, 2]))?;
    let (hour, minute, second) = (time[0], time[1], time.get(2).copied().unwrap_or(0));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of_civil_date(year, month, day);
    (civil_date(days) == (year, month, day))
        .then_some((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000)
}

/// Numbers of exactly these lengths, with `separator` between them.
fn numbers(text: &str, separator: char, lengths: &[usize]) -> Option<Vec<i64>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let are_right = parts.len() == lengths.len()
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit()));
    are_right.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
}

/// Year, month and day of the Gregorian calendar to days since 1970-01-01; days that there are not become others.
fn days_of_civil_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9).rem_euclid(12);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
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
    fn times_of_utc_are_read_and_days_that_there_are_not_are_refused() {
        assert_eq!(parse_utc("1970-01-01"), Some(0));
        assert_eq!(parse_utc("2000-02-29"), Some(951_782_400_000_000));
        for text in ["2026-11-23T08:28:16Z", "2026-11-23 08:28:16 UTC", "2026-11-23T08:28:16"] {
            assert_eq!(parse_utc(text), Some(1_795_422_496_000_000), "{text}");
        }
        assert_eq!(parse_utc("2026-11-23T08:28Z"), Some(1_795_422_480_000_000));
        for day in (-200_000..200_000).step_by(37) {
            let (year, month, date) = civil_date(day);
            assert_eq!(days_of_civil_date(year, month, date), day);
        }
        for wrong in
            ["", "2026", "2026-02-29", "2026-13-01", "2026-1-1", "2026-01-01T24:00", "2026-01-01T8:00", "x"]
        {
            assert_eq!(parse_utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(format_utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(format_utc(951_782_399_999_999), "2000-02-28 23:59:59 UTC");
        assert_eq!(format_utc(951_782_400_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(format_utc(1_795_422_496_000_000), "2026-11-23 08:28:16 UTC");
        assert_eq!(format_utc(-1), "1969-12-31 23:59:59 UTC");
    }
}
