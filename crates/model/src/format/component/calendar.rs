//! `schedule.calendar`: times as systemd reads them in `OnCalendar=`.
//!
//! Written from [systemd.time(7)](https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html#Calendar%20Events).
//! Only the grammar and the ranges are checked: systemd alone knows when a time comes next. Of a time zone with a `/` in
//! its name only the form is checked, because the zones of the host are not known here.

use super::shown;

/// Words that stand for a whole expression.
const WORDS: [&str; 13] = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
    "annually",
    "anually",
    "semiannually",
    "semi-annually",
    "biannually",
    "bi-annually",
];

/// Time zones whose names have no `/`.
const ZONES: [&str; 21] = [
    "GMT",
    "CET",
    "EET",
    "MET",
    "WET",
    "EST",
    "MST",
    "HST",
    "EST5EDT",
    "CST6CDT",
    "MST7MDT",
    "PST8PDT",
    "UCT",
    "Zulu",
    "GB",
    "NZ",
    "Japan",
    "Israel",
    "Turkey",
    "Poland",
    "Singapore",
];

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// How many values one list may have; systemd has a bound of about this size too.
const MAX_VALUES: usize = 240;

/// A part of a date or time: its name, its least value and its greatest one.
type Range = (&'static str, u64, u64);

const YEAR: Range = ("year", 1970, 2199);
const MONTH: Range = ("month", 1, 12);
const DAY: Range = ("day", 1, 31);
/// Counted from the end of the month, where no month has fewer than 28 days.
const DAY_FROM_END: Range = ("day from the end of the month", 1, 28);
const HOUR: Range = ("hour", 0, 23);
const MINUTE: Range = ("minute", 0, 59);
/// In microseconds, because seconds may have a fraction.
const SECOND: Range = ("second", 0, 59_999_999);

const MICROSECONDS: u64 = 1_000_000;

/// Checks an expression; the error says what is wrong with it and what to write.
pub(super) fn check_systemd_calendar_expression(text: &str) -> Result<(), String> {
    let text = text.trim();
    let result = check(text);
    let Err(why) = result else { return Ok(()) };
    let advice = if text.split_whitespace().count() == 5 {
        "this looks like the five fields of cron; systemd writes `*:0/5` for every five minutes and `Mon *-*-* 04:30` for Mondays"
    } else {
        "write for instance `hourly`, `*:0/5` or `Mon *-*-* 04:30` (systemd.time(7))"
    };
    Err(format!("is `{}`, which systemd does not take: {why}; {advice}", shown(text)))
}

fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it must be one line".to_owned());
    }
    let text = without_zone(text)?;
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Ok(());
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return match seconds.parse::<u64>() {
            Ok(_) => Ok(()),
            Err(_) => Err("after `@` a number of seconds is needed".to_owned()),
        };
    }
    let rest = after_weekdays(text)?;
    let rest = after_date(rest)?;
    check_time(rest)
}

/// The expression without the time zone at its end, if it has one.
fn without_zone(text: &str) -> Result<&str, String> {
    let Some((before, last)) = text.rsplit_once(' ') else { return Ok(text) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-".contains(c);
    let with_area = last.contains('/')
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && last.split('/').all(|part| !part.is_empty() && part.chars().all(plain));
    if with_area || ZONES.contains(&last) || last.eq_ignore_ascii_case("UTC") {
        return Ok(before);
    }
    if last.chars().all(|c| c.is_ascii_alphabetic()) && weekday(&last.to_ascii_lowercase()).is_none() {
        return Err(format!("`{}` is no time zone, for instance `UTC` or `Europe/Berlin`", shown(last)));
    }
    Ok(text)
}

/// What follows the days of the week: `Mon,Wed..Fri `.
fn after_weekdays(text: &str) -> Result<&str, String> {
    let mut rest = text;
    while rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let mut name;
        (name, rest) = word(rest);
        let first = weekday(name);
        let mut last = first;
        if let Some(after) = rest.strip_prefix("..").or_else(|| rest.strip_prefix('-')) {
            (name, rest) = word(after);
            last = weekday(name);
        }
        if first.is_none() || last.is_none() {
            return Err(format!("`{}` is no day of the week", shown(name)));
        }
        if first > last {
            return Err("a range of days of the week ends before it starts".to_owned());
        }
        rest = match rest.as_bytes().first() {
            None => return Ok(""),
            Some(b' ') => return Ok(rest.trim_start_matches(' ')),
            // A comma may follow the last day too.
            Some(b',') if rest.len() == 1 || rest[1..].starts_with(' ') => {
                return Ok(rest[1..].trim_start_matches(' '));
            }
            Some(b',') => &rest[1..],
            Some(_) => return Err("after a day of the week only `,`, `..` or a space may follow".to_owned()),
        };
    }
    Ok(rest)
}

/// The letters a text starts with, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

/// The number of a day of the week, whose name may be cut after three letters.
fn weekday(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    DAYS.iter().position(|day| *day == name || day[..3] == *name)
}

/// What follows the date: `2003-*-1,5 `, `*-02~03 `.
fn after_date(text: &str) -> Result<&str, String> {
    let (date, rest) = match text.split_once(' ') {
        Some((date, rest)) => (date, rest.trim_start_matches(' ')),
        None => (text, ""),
    };
    if date.is_empty() || date.contains(':') {
        return Ok(text);
    }
    let (months, day, from_end) = match date.rsplit_once('~') {
        Some((months, day)) => (months, day, true),
        None => match date.rsplit_once('-') {
            Some((months, day)) => (months, day, false),
            None => {
                return Err(format!("`{}` is neither a date (`*-*-01`) nor a time (`04:30`)", shown(date)));
            }
        },
    };
    check_list(day, if from_end { DAY_FROM_END } else { DAY }, from_end)?;
    match months.split_once('-') {
        Some((year, month)) => {
            check_list(year, YEAR, false)?;
            check_list(month, MONTH, false)?;
        }
        None => check_list(months, MONTH, false)?,
    }
    Ok(rest)
}

/// `04:30`, `*:0/5`, `12:00:00.5`; nothing is midnight.
fn check_time(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, None),
        [hour, minute, second] => (hour, minute, Some(second)),
        _ => return Err(format!("`{}` is no time such as `04:30`", shown(text))),
    };
    check_list(hour, HOUR, false)?;
    check_list(minute, MINUTE, false)?;
    second.map_or(Ok(()), |second| check_list(second, SECOND, false))
}

/// Values separated by commas, or `*`.
fn check_list(text: &str, range: Range, from_end: bool) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    if text.split(',').count() > MAX_VALUES {
        return Err(format!("the {} has more than {MAX_VALUES} values", range.0));
    }
    text.split(',').try_for_each(|value| check_value(value, range, from_end))
}

/// `5`, `5..10`, `5/15` or `5..10/2`.
fn check_value(text: &str, range: Range, from_end: bool) -> Result<(), String> {
    let (name, least, greatest) = range;
    if text.starts_with("*/") {
        return Err(format!("after `*` no `/` may follow; write `{least}{}`", shown(&text[1..])));
    }
    let (values, repeat) = match text.split_once('/') {
        Some((values, repeat)) => (values, Some(number(repeat, range)?)),
        None => (text, None),
    };
    let (start, stop) = match values.split_once("..") {
        Some((start, stop)) => {
            (full_year(number(start, range)?, range), Some(full_year(number(stop, range)?, range)))
        }
        None => (full_year(number(values, range)?, range), None),
    };
    if repeat == Some(0) {
        return Err(format!("`{}` repeats every 0", shown(text)));
    }
    // The range ends with the last value that a step reaches.
    let stop = stop.map(|stop| match repeat {
        Some(repeat) if stop > start => stop - (stop - start) % repeat,
        _ => stop,
    });
    for value in [Some(start), stop].into_iter().flatten() {
        if value < least || value > greatest {
            let greatest = if range == SECOND { 59 } else { greatest };
            return Err(format!("the {name} in `{}` is not from {least} to {greatest}", shown(text)));
        }
    }
    let comes_again = match (stop, repeat) {
        (Some(stop), Some(_)) => start <= stop,
        (Some(stop), None) if range == SECOND => start.saturating_add(MICROSECONDS) <= stop,
        (Some(stop), None) => start <= stop,
        (None, Some(repeat)) if from_end => start.checked_sub(repeat).is_some_and(|value| value >= least),
        (None, Some(repeat)) => start.saturating_add(repeat) <= greatest,
        (None, None) => true,
    };
    if comes_again {
        Ok(())
    } else if stop.is_some() {
        Err(format!("the range `{}` ends before it starts", shown(text)))
    } else {
        Err(format!("the {name} `{}` never comes a second time", shown(text)))
    }
}

/// A year that may be written with its last two digits.
fn full_year(value: u64, range: Range) -> u64 {
    match value {
        0..70 if range == YEAR => 2000 + value,
        70..100 if range == YEAR => 1900 + value,
        value => value,
    }
}

/// A number; of seconds in microseconds.
fn number(text: &str, range: Range) -> Result<u64, String> {
    let wrong = || format!("`{}` is no {}", shown(text), range.0);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if range == SECOND && digits(fraction) => (whole, fraction),
        Some(_) => return Err(wrong()),
        None => (text, ""),
    };
    if !digits(whole) {
        return Err(wrong());
    }
    let value: u64 = whole.parse().map_err(|_| wrong())?;
    if range == SECOND {
        // Rounded to six places, as systemd does.
        let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |byte| u64::from(byte - b'0'));
        let micros = (0..6).fold(0, |micros, at| micros * 10 + digit(at)) + u64::from(digit(6) >= 5);
        return value.checked_mul(MICROSECONDS).and_then(|value| value.checked_add(micros)).ok_or_else(wrong);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_calendar_is_refused_with_reason_and_example() {
        for (text, expected) in [
            ("", "it is empty"),
            ("*/5 * * * *", "this looks like the five fields of cron"),
            ("*:*/5", "after `*` no `/` may follow; write `0/5`"),
            ("25:00", "the hour in `25` is not from 0 to 23"),
            ("Mo *-*-* 04:30", "`Mo` is no day of the week"),
            ("4", "`4` is neither a date"),
            ("*-13-01", "the month in `13` is not from 1 to 12"),
            ("daily Nowhere", "`Nowhere` is no time zone"),
            ("every day", "`day` is no time zone"),
            ("*:0/90", "the minute `0/90` never comes a second time"),
            ("Fri..Mon", "a range of days of the week ends before it starts"),
        ] {
            let error = check_systemd_calendar_expression(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
