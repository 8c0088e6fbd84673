//! Maven's versions, in the order of `ComparableVersion`.
//!
//! The rules are those of the [version order specification](https://maven.apache.org/pom.html#version-order-specification)
//! and of the class [`ComparableVersion`](https://maven.apache.org/ref/current/maven-artifact/apidocs/org/apache/maven/artifact/versioning/ComparableVersion.html):
//! a version is split at dots, at hyphens and between digits and letters. After its numbers, and again after each
//! qualifier, this is the order of what can follow:
//!
//! `alpha` < `beta` < `milestone` < `rc` < `snapshot` < nothing < `sp` < other qualifiers by alphabet < `-1` < `.1`
//!
//! RPM's order of `~`, nothing, `^`, letters and digits is used for it: `~alpha` ... `~snapshot`, nothing, `^^sp`,
//! `^other`, `^1`, `.1`. Directly after a qualifier, digits stand for `-1`, so that `1.0-rc-1` becomes `1.0.0~rc1`.
//!
//! Maven 3 contradicts the specification, and itself, where a qualifier stands between a dot and another separator: it
//! sorts `1.0.rc-x` before `1.0`, `1.0` before `1.0-x` and `1.0-x` before `1.0.rc-x`. There the specification is followed.

use super::join_release;

/// What stands before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Dot,
    Hyphen,
    /// Nothing: digits are followed by letters or letters by digits.
    Change,
}

/// Digits without leading zeros, or lower-case letters.
#[derive(Debug, PartialEq, Eq)]
struct Token<'t> {
    separator: Separator,
    text: &'t str,
}

impl Token<'_> {
    fn is_number(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// Writes a version of Maven's as RPM's.
pub(super) fn maven_to_rpm_version(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let tokens = split(&text)?;
    let (release, rest) = numbers(&tokens);
    if release.is_empty() {
        return Err("does not start with a number".to_owned());
    }
    let mut rpm = join_release(&release);
    let mut rest = rest;
    let mut after_qualifier = false;
    while let Some((token, after)) = rest.split_first() {
        if token.is_number() {
            let (numbers, after) = numbers(rest);
            let numbers = without_trailing_zeros(&numbers);
            if token.separator == Separator::Dot {
                return Err(format!(
                    "has `.{0}` after a word, which Maven sorts after `-N` whatever `N` is; write `-{0}`",
                    token.text
                ));
            }
            if numbers.is_empty() && !after.is_empty() {
                return Err("has a zero between two words, which Maven ignores; leave it out".to_owned());
            }
            if !numbers.is_empty() {
                rpm.push_str(if after_qualifier { "" } else { "^" });
                rpm.push_str(&numbers.join("."));
            }
            (rest, after_qualifier) = (after, false);
        } else if is_release_word(token.text) {
            // `1.0.Final-redhat-1` is `1.0-redhat-1`; elsewhere Maven keeps an empty place for the word.
            let is_without_effect = after.first().is_none_or(|next| {
                next.separator == Separator::Hyphen
                    && token.separator == Separator::Dot
                    && rest.len() == tokens.len() - release.len()
            });
            if !is_without_effect {
                return Err(format!(
                    "has `{}` before its end, which Maven ignores; leave it out",
                    token.text
                ));
            }
            rest = after;
        } else {
            let before_number =
                after.first().is_some_and(|next| next.is_number() && next.separator == Separator::Change);
            rpm.push_str(&qualifier(token.text, before_number));
            (rest, after_qualifier) = (after, true);
        }
    }
    Ok(rpm)
}

/// The words that say the same as no word.
fn is_release_word(word: &str) -> bool {
    matches!(word, "final" | "ga" | "release")
}

/// A qualifier with the marks that put it in its place; `a`, `b` and `m` are short only directly before a number.
fn qualifier(word: &str, before_number: bool) -> String {
    match word {
        "a" if before_number => "~alpha".to_owned(),
        "b" if before_number => "~beta".to_owned(),
        "m" if before_number => "~milestone".to_owned(),
        "cr" => "~rc".to_owned(),
        "alpha" | "beta" | "milestone" | "rc" | "snapshot" => format!("~{word}"),
        "sp" => "^^sp".to_owned(),
        _ => format!("^{word}"),
    }
}

/// The numbers `tokens` starts with, joined by dots, and what follows them.
fn numbers<'a, 't>(tokens: &'a [Token<'t>]) -> (Vec<&'t str>, &'a [Token<'t>]) {
    let end = tokens
        .iter()
        .enumerate()
        .position(|(at, token)| !token.is_number() || (at > 0 && token.separator != Separator::Dot))
        .unwrap_or(tokens.len());
    (tokens[..end].iter().map(|token| token.text).collect(), &tokens[end..])
}

fn without_trailing_zeros<'a, 't>(numbers: &'a [&'t str]) -> &'a [&'t str] {
    let end = numbers.iter().rposition(|number| *number != "0").map_or(0, |at| at + 1);
    &numbers[..end]
}

fn split(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let (mut rest, mut separator) = (text, Separator::Dot);
    loop {
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let same_kind = |c: char| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let end = rest.find(|c| !same_kind(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(
                "has something else than letters and digits with one `.` or `-` between them".to_owned()
            );
        }
        let (token, after) = rest.split_at(end);
        let token = match token.trim_start_matches('0') {
            "" => "0",
            number if digits => number,
            _ => token,
        };
        tokens.push(Token { separator, text: token });
        (separator, rest) = match after.as_bytes().first() {
            None => return Ok(tokens),
            Some(b'.') => (Separator::Dot, &after[1..]),
            Some(b'-') => (Separator::Hyphen, &after[1..]),
            Some(_) => (Separator::Change, after),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_become_marks_of_rpm() {
        for (maven, rpm) in [
            ("1.2.3", "1.2.3"),
            ("1.0-SNAPSHOT", "1.0.0~snapshot"),
            ("1.0.RC1", "1.0.0~rc1"),
            ("1.0-cr-1", "1.0.0~rc1"),
            ("4.1.100.Final", "4.1.100"),
            ("1.0.0.M2", "1.0.0~milestone2"),
            ("1.0-m", "1.0.0^m"),
            ("1.0-beta-2-SNAPSHOT", "1.0.0~beta2~snapshot"),
            ("31.1-jre", "31.1.0^jre"),
            ("1.0.SP1", "1.0.0^^sp1"),
            ("1.0.0.Final-redhat-00001", "1.0.0^redhat1"),
            ("1.0-1", "1.0.0^1"),
            ("1.0-20231013.123456-1", "1.0.0^20231013.123456^1"),
        ] {
            assert_eq!(maven_to_rpm_version(maven).as_deref(), Ok(rpm), "{maven}");
        }
    }

    #[test]
    fn version_without_an_equal_order_in_rpm_is_refused_with_advice() {
        for (maven, expected) in [
            (
                "1.0-alpha.1",
                "has `.1` after a word, which Maven sorts after `-N` whatever `N` is; write `-1`",
            ),
            ("v1.0", "does not start with a number"),
            ("1.0_2", "something else than letters and digits"),
            ("1..2", "something else than letters and digits"),
            ("1.0-", "something else than letters and digits"),
            ("1.0-final-2", "has `final` before its end, which Maven ignores; leave it out"),
            ("1.0.Final1", "has `final` before its end"),
            ("1.0-M0-SNAPSHOT", "has a zero between two words"),
        ] {
            let error = maven_to_rpm_version(maven).unwrap_err();
            assert!(error.contains(expected), "{maven}: {error}");
        }
    }
}
