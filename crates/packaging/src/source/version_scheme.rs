//! Versions of other tools, written so that RPM sorts them as their own tool does.
//!
//! RPM compares two versions from left to right, in runs of digits and runs of letters. Where one of them ends or
//! changes its kind, this is the order: `~`, the end of the version, `^`, a letter, a digit. Each scheme here writes its
//! versions with these marks. What cannot be written so that every pair keeps its order is refused.

mod maven;
mod pep440;
mod semver;

/// The rules by which a project's version is read and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionScheme {
    /// Maven's `ComparableVersion`.
    Maven,
    /// Python's PEP 440.
    Pep440,
    /// Semantic Versioning 2.0.0, of npm and Cargo.
    SemVer,
}

impl VersionScheme {
    /// Writes `text` as RPM's version; the error is a sentence without its full stop.
    pub(super) fn to_rpm_version(self, text: &str) -> Result<String, String> {
        let text = text.trim();
        let rpm = match self {
            VersionScheme::Maven => maven::maven_to_rpm_version(text),
            VersionScheme::Pep440 => pep440::pep440_to_rpm_version(text),
            VersionScheme::SemVer => semver::semver_to_rpm_version(text),
        };
        rpm.map_err(|why| format!("the version `{}` {why}", shorten(text)))
    }
}

/// How many numbers every version has at least.
const NUMBERS: usize = 3;

/// Joins the numbers a version starts with, with zeros added or taken away at the end until there are three.
///
/// Maven and Python take `1`, `1.0` and `1.0.0` for the same version and RPM does not, so only one of them is written.
fn join_release<T: AsRef<str>>(numbers: &[T]) -> String {
    let numbers: Vec<&str> = numbers.iter().map(AsRef::as_ref).collect();
    let significant = numbers.iter().rposition(|number| *number != "0").map_or(0, |at| at + 1);
    let mut numbers = numbers[..significant].to_vec();
    numbers.resize(significant.max(NUMBERS), "0");
    numbers.join(".")
}

/// A text of the user's as an error may show it: short, and without control characters.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_has_three_numbers_or_as_many_as_it_needs() {
        for (numbers, joined) in [
            (vec!["1"], "1.0.0"),
            (vec!["1", "0", "0", "0"], "1.0.0"),
            (vec!["1", "2", "3", "4", "0"], "1.2.3.4"),
            (vec!["0"], "0.0.0"),
            (vec!["1", "0", "0", "1"], "1.0.0.1"),
        ] {
            assert_eq!(join_release(&numbers), joined);
        }
    }

    #[test]
    fn refused_version_is_shown_short_and_without_control_characters() {
        for scheme in [VersionScheme::Maven, VersionScheme::Pep440, VersionScheme::SemVer] {
            let error = scheme.to_rpm_version(&format!("\u{1b}[2J{}", "x".repeat(1_000_000))).unwrap_err();
            assert!(error.len() < 500 && !error.contains('\u{1b}'), "{error}");
            assert!(scheme.to_rpm_version("").is_err());
        }
    }
}
