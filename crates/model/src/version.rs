//! Versions and ranges of versions, compared the way `rpm` compares them.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a version or a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not a version.
    #[error(
        "`{0}` is not a version: write it like `1.2.0` or `1.2.0-1`, with letters, digits, `.`, `_`, `+`, `~`, `^` only, starting with a letter or digit"
    )]
    Version(String),
    /// Not a range.
    #[error("`{0}` is not a version range: write `1.2.0`, `>=1.2, <2`, `^1.2`, `~1.2` or `*`")]
    Range(String),
}

/// An exact version: `VERSION` or `VERSION-RELEASE`.
///
/// Kept and compared as RPM does (`rpmvercmp`): `1.0~rc1` is before `1.0`, `1.0^git1` after it.
/// A version without release comes before the same version with one; [`Version::satisfies_requested_version`] looks past that.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    version: Arc<str>,
    release: Option<Arc<str>>,
}

impl Version {
    /// Checks both parts and joins them.
    pub fn new(version: &str, release: Option<&str>) -> Result<Self, VersionError> {
        let whole = || match release {
            Some(release) => shorten(&format!("{version}-{release}")),
            None => shorten(version),
        };
        if !part(version) || !release.is_none_or(part) {
            return Err(VersionError::Version(whole()));
        }
        Ok(Self { version: version.into(), release: release.map(Into::into) })
    }

    /// The part before `-`.
    pub fn version_without_release(&self) -> &str {
        &self.version
    }

    /// The part after `-`, if any.
    pub fn release_part(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// Whether `requirement` names this version: equal, or equal except for a release that one of the two leaves out.
    pub fn satisfies_requested_version(&self, requirement: &Version) -> bool {
        compare(&self.version, &requirement.version) == Ordering::Equal
            && match (&self.release, &requirement.release) {
                (Some(mine), Some(other)) => compare(mine, other) == Ordering::Equal,
                _ => true,
            }
    }
}

/// `rpmvercmp` of one part.
fn compare(a: &str, b: &str) -> Ordering {
    rpm_version::Evr::new("", a, "").cmp(&rpm_version::Evr::new("", b, ""))
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^".contains(c))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.version, &other.version).then_with(|| match (&self.release, &other.release) {
            (Some(mine), Some(other)) => compare(mine, other),
            (mine, other) => mine.is_some().cmp(&other.is_some()),
        })
    }
}
impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Version {}

impl FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text.split_once('-') {
            Some((version, release)) => Self::new(version, Some(release)),
            None => Self::new(text, None),
        }
    }
}
impl TryFrom<String> for Version {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}
impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        match &self.release {
            Some(release) => write!(f, "-{release}"),
            None => Ok(()),
        }
    }
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionBound {
    /// How it compares.
    pub comparison: VersionComparison,
    /// With what.
    pub version: Version,
}

/// How a bound compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionComparison {
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
}

impl VersionComparison {
    /// The sign RPM and people write.
    pub fn operator_symbol(self) -> &'static str {
        match self {
            VersionComparison::Equal => "=",
            VersionComparison::AtLeast => ">=",
            VersionComparison::Above => ">",
            VersionComparison::AtMost => "<=",
            VersionComparison::Below => "<",
        }
    }
}

/// A version range: exact (`1.2.0`), bounds (`>=1.2, <2`), `^1.2`, `~1.2` or `*`.
///
/// `^1.2` is at least 1.2 and below 2 (below 0.3 for `^0.2`); `~1.2.3` is at least 1.2.3 and below 1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: String,
    bounds: Vec<VersionBound>,
}

impl VersionRange {
    /// Any version.
    pub fn range_of_any_version() -> Self {
        Self { text: "*".to_owned(), bounds: Vec::new() }
    }

    /// Exactly `version`.
    pub fn range_of_exact_version(version: &Version) -> Self {
        Self {
            text: version.to_string(),
            bounds: vec![VersionBound { comparison: VersionComparison::Equal, version: version.clone() }],
        }
    }

    /// The bounds a version must all keep to; none for `*`.
    pub fn range_bounds(&self) -> &[VersionBound] {
        &self.bounds
    }

    /// Whether `version` is in the range.
    pub fn contains_version(&self, version: &Version) -> bool {
        self.bounds.iter().all(|bound| match bound.comparison {
            VersionComparison::Equal => version.satisfies_requested_version(&bound.version),
            VersionComparison::AtLeast => {
                version.satisfies_requested_version(&bound.version) || *version > bound.version
            }
            VersionComparison::Above => {
                !version.satisfies_requested_version(&bound.version) && *version > bound.version
            }
            VersionComparison::AtMost => {
                version.satisfies_requested_version(&bound.version) || *version < bound.version
            }
            VersionComparison::Below => {
                !version.satisfies_requested_version(&bound.version) && *version < bound.version
            }
        })
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::Range(shorten(text));
        let text = text.trim();
        let mut bounds = Vec::new();
        if text != "*" {
            for part in text.split(',') {
                bounds.extend(bound(part.trim()).ok_or_else(wrong)?);
            }
        }
        Ok(Self { text: text.to_owned(), bounds })
    }
}

fn bound(part: &str) -> Option<Vec<VersionBound>> {
    let make = |comparison, text: &str| -> Option<VersionBound> {
        let version: Version = text.trim().parse().ok()?;
        // A word has no order that anybody means: `>=latest`.
        let has_order = version.version.contains(|c: char| c.is_ascii_digit());
        (comparison == VersionComparison::Equal || has_order).then_some(VersionBound { comparison, version })
    };
    for (sign, comparison) in [
        (">=", VersionComparison::AtLeast),
        ("<=", VersionComparison::AtMost),
        ("=", VersionComparison::Equal),
        (">", VersionComparison::Above),
        ("<", VersionComparison::Below),
    ] {
        if let Some(rest) = part.strip_prefix(sign) {
            return Some(vec![make(comparison, rest)?]);
        }
    }
    if let Some(rest) = part.strip_prefix('^') {
        return Some(vec![
            make(VersionComparison::AtLeast, rest)?,
            make(VersionComparison::Below, &caret(rest)?)?,
        ]);
    }
    if let Some(rest) = part.strip_prefix('~') {
        return Some(vec![
            make(VersionComparison::AtLeast, rest)?,
            make(VersionComparison::Below, &tilde(rest)?)?,
        ]);
    }
    Some(vec![make(VersionComparison::Equal, part)?])
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.trim().split('.').map(|part| part.parse().ok()).collect()
}

/// The version `^text` must stay below: the first number that is not zero, raised by one.
/// `~` follows, so that pre-releases of that version stay out too.
fn caret(text: &str) -> Option<String> {
    let numbers = numbers(text)?;
    let at = numbers.iter().position(|n| *n != 0).unwrap_or(numbers.len() - 1);
    Some(raised(&numbers[..=at]))
}

fn tilde(text: &str) -> Option<String> {
    let numbers = numbers(text)?;
    Some(raised(&numbers[..numbers.len().min(2)]))
}

fn raised(numbers: &[u64]) -> String {
    let mut numbers = numbers.to_vec();
    if let Some(last) = numbers.last_mut() {
        *last = last.saturating_add(1);
    }
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    format!("{}~", texts.join("."))
}

impl TryFrom<String> for VersionRange {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}
impl From<VersionRange> for String {
    fn from(range: VersionRange) -> String {
        range.text
    }
}
impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

macro_rules! text_schema {
    ($type:ident, $description:literal) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}
text_schema!(Version, "An exact version: `1.2.0` or, with a release, `1.2.0-1`.");
text_schema!(VersionRange, "A version range: `1.2.0`, `>=1.2, <2`, `^1.2`, `~1.2` or `*`.");

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_order_as_rpm_orders_them() {
        let sorted = ["1.0~rc1-1", "1.0-1", "1.0-2", "1.0^git1-1", "1.0.1-1", "1.10-1"];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert!(version("1.0-3").satisfies_requested_version(&version("1.0")));
        assert!(!version("1.0-3").satisfies_requested_version(&version("1.0-2")));
    }

    #[test]
    fn ranges_hold_what_they_say() {
        for (range, inside, outside) in [
            ("1.2", vec!["1.2-1", "1.2-9"], vec!["1.2.1-1"]),
            (">=1.2, <2", vec!["1.2-1", "1.9-1"], vec!["1.1-1", "2-1", "2.1-1"]),
            ("^1.2", vec!["1.2-1", "1.99-1"], vec!["2.0-1", "2.0~rc1-1", "1.1-1"]),
            ("^0.2.3", vec!["0.2.3-1", "0.2.9-1"], vec!["0.3.0-1"]),
            ("~1.2.3", vec!["1.2.4-1"], vec!["1.3.0-1", "1.2.2-1"]),
            ("*", vec!["0-1", "99-1"], vec![]),
        ] {
            let range: VersionRange = range.parse().unwrap();
            for text in inside {
                assert!(range.contains_version(&version(text)), "{range} should hold {text}");
            }
            for text in outside {
                assert!(!range.contains_version(&version(text)), "{range} should not hold {text}");
            }
        }
    }

    #[test]
    fn invalid_version_or_range_is_refused() {
        for text in ["", "-1", "1-2-3", "1 2", "../1", "1.0-", ";rm"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!(">=".parse::<VersionRange>().is_err());
        assert!("^x".parse::<VersionRange>().is_err());
        for text in [">=banana", "<latest", ">=1.2, <two"] {
            assert_eq!(text.parse::<VersionRange>(), Err(VersionError::Range(text.to_owned())));
        }
    }
}
