//! The five fields of a job of cron, or the word that stands for them, as cron reads them.
//!
//! Written from [crontab(5)](https://manpages.debian.org/stable/cron/crontab.5.en.html). What only one of the crons in use
//! takes (a step after a single number, `~`, `L`, `?`) is refused, because a component is deployed on hosts with each.

/// What a schedule can be instead of five fields.
const NICKNAMES: [&str; 8] =
    ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u32,
    greatest: u32,
    /// What may be written instead of numbers, from `least` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, greatest: 59, names: &[] },
    Field { name: "hour", least: 0, greatest: 23, names: &[] },
    Field { name: "day of the month", least: 1, greatest: 31, names: &[] },
    Field { name: "month", least: 1, greatest: 12, names: &MONTHS },
    // Sunday is 0 and 7.
    Field { name: "day of the week", least: 0, greatest: 7, names: &DAYS },
];

/// Checks a schedule and returns it with one space between its fields; the error says what to write.
pub(super) fn check_and_respace_cron_schedule(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts[..] {
        [word] if NICKNAMES.contains(&word) => (),
        [word] if word.starts_with('@') => {
            return Err(format!(
                "must be one of {}, or five fields such as `5 * * * *`",
                NICKNAMES.join(", ")
            ));
        }
        [_, _, _, _, _] => {
            for (field, part) in FIELDS.iter().zip(&parts) {
                field.check(part)?;
            }
        }
        _ => {
            return Err(format!(
                "must be five fields (`5 * * * *`: minute, hour, day of the month, month, day of the week) or a word such as @daily; this has {}",
                parts.len()
            ));
        }
    }
    Ok(parts.join(" "))
}

impl Field {
    /// Checks a list: `*`, `5`, `5-10`, `*/5`, `5-10/2`, joined by commas.
    fn check(&self, list: &str) -> Result<(), String> {
        let wrong = |why: String| Err(format!("has `{list}` for the {}, {why}", self.name));
        for item in list.split(',') {
            let (values, step) = match item.split_once('/') {
                Some((values, step)) => (values, Some(step)),
                None => (item, None),
            };
            let is_step = |step: &str| is_number(step) && step.parse().is_ok_and(|step: u32| step > 0);
            if step.is_some_and(|step| !is_step(step)) {
                return wrong("but after `/` a number from 1 is needed".to_owned());
            }
            let (first, last) = match values.split_once('-') {
                _ if values == "*" => continue,
                Some((first, last)) => (first, last),
                None if step.is_some() => {
                    return wrong(format!(
                        "but a step needs a range: write `{values}-{}/...` or `*/...`",
                        self.greatest
                    ));
                }
                None => (values, values),
            };
            let (Some(first), Some(last)) = (self.number(first), self.number(last)) else {
                let names = match self.names {
                    [first, .., last] => format!(", or a name from `{first}` to `{last}`"),
                    _ => String::new(),
                };
                return wrong(format!(
                    "where cron takes numbers from {} to {}{names}",
                    self.least, self.greatest
                ));
            };
            if first > last {
                return wrong("a range that ends before it starts".to_owned());
            }
        }
        Ok(())
    }

    fn number(&self, text: &str) -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Some(self.least + u32::try_from(at).ok()?);
        }
        text.parse().ok().filter(|number| is_number(text) && (self.least..=self.greatest).contains(number))
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_of_cron_is_accepted() {
        for text in [
            "5 3 * * *",
            "*/15 0-23/2 1,15 JAN-mar Mon-Fri",
            "00 04 * * 7",
            "0,30 8-17 * * 1-5",
            "*,5 * * * *",
            "@reboot",
            "@midnight",
        ] {
            assert_eq!(check_and_respace_cron_schedule(text).as_deref(), Ok(text));
        }
        assert_eq!(check_and_respace_cron_schedule("  5\t3  * * * ").as_deref(), Ok("5 3 * * *"));
    }

    #[test]
    fn schedule_that_cron_does_not_take_is_refused_with_the_field() {
        for (text, expected) in [
            ("60 * * * *", "has `60` for the minute, where cron takes numbers from 0 to 59"),
            ("* 24 * * *", "has `24` for the hour"),
            ("* * 0 * *", "has `0` for the day of the month, where cron takes numbers from 1 to 31"),
            (
                "* * * 13 *",
                "has `13` for the month, where cron takes numbers from 1 to 12, or a name from `jan` to `dec`",
            ),
            ("* * * * monday", "has `monday` for the day of the week"),
            ("* * * * 8", "has `8` for the day of the week"),
            ("*/0 * * * *", "but after `/` a number from 1 is needed"),
            ("*/ * * * *", "but after `/` a number from 1 is needed"),
            ("5/10 * * * *", "but a step needs a range: write `5-59/...` or `*/...`"),
            ("30-10 * * * *", "a range that ends before it starts"),
            ("1,,2 * * * *", "has `1,,2` for the minute"),
            ("- * * * *", "has `-` for the minute"),
            ("* * L * *", "has `L` for the day of the month"),
            ("mon * * * *", "has `mon` for the minute"),
            ("* * * *", "this has 4"),
            ("0 * * * * *", "this has 6"),
            ("@often", "must be one of @reboot, "),
            ("", "this has 0"),
        ] {
            let error = check_and_respace_cron_schedule(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
