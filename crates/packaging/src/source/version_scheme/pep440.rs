//! Python's versions, in the order of PEP 440.
//!
//! The rules are those of the [version specifiers specification](https://packaging.python.org/en/latest/specifications/version-specifiers/#summary-of-permitted-suffixes-and-relative-ordering).
//! Of one release, this is the order:
//!
//! `.dev1` < `a1` < `b1` < `rc1` < nothing < a local version (`+ubuntu.1`) < `.post1`
//!
//! A pre-release or post-release may itself have `.dev1`, which is before it, and a pre-release `.post1`, which is after
//! it. RPM's marks for it are `~~dev1`, `~a1`, `~b1`, `~rc1`, nothing, `^ubuntu.1` and `.post1`, and `~dev1` within.

use std::{fmt::Write, str::FromStr};

use pep440_rs::{LocalSegment, PrereleaseKind, Version};

use super::join_release;

/// Writes a version of Python's as RPM's.
pub(super) fn pep440_to_rpm_version(text: &str) -> Result<String, String> {
    let version = Version::from_str(text)
        .map_err(|_| "is not one of Python's (PEP 440), for instance `1.2.0` or `1.2.0rc1`".to_owned())?;
    if version.epoch() != 0 {
        return Err(format!("has the epoch `{}!`, which packages have no place for", version.epoch()));
    }
    let release: Vec<String> = version.release().iter().map(u64::to_string).collect();
    let mut rpm = join_release(&release);
    let pre = version.pre().map(|pre| match pre.kind {
        PrereleaseKind::Alpha => format!("~a{}", pre.number),
        PrereleaseKind::Beta => format!("~b{}", pre.number),
        PrereleaseKind::Rc => format!("~rc{}", pre.number),
    });
    let post = version.post().map(|number| format!(".post{number}"));
    // A development release of the release itself is before all its pre-releases.
    let dev_mark = if pre.is_none() && post.is_none() { "~~" } else { "~" };
    rpm.extend([pre, post].into_iter().flatten());
    if let Some(number) = version.dev() {
        let _ = write!(rpm, "{dev_mark}dev{number}");
    }
    for (at, segment) in version.local().iter().enumerate() {
        let segment = segment_text(segment)?;
        let _ = write!(rpm, "{}{segment}", if at == 0 { '^' } else { '.' });
    }
    Ok(rpm)
}

/// A part of a local version, if RPM compares it as Python does.
fn segment_text(segment: &LocalSegment) -> Result<String, String> {
    match segment {
        LocalSegment::Number(number) => Ok(number.to_string()),
        LocalSegment::String(text) if text.chars().all(|c| c.is_ascii_alphabetic()) => Ok(text.clone()),
        LocalSegment::String(text) => Err(format!(
            "has `{text}` after `+`, which Python compares letter by letter; write letters and digits apart, as in `+ubuntu.1`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_become_marks_of_rpm() {
        for (python, rpm) in [
            ("1.0", "1.0.0"),
            ("2024.1", "2024.1.0"),
            ("v1.0-RC.1", "1.0.0~rc1"),
            ("1.0a2.dev3", "1.0.0~a2~dev3"),
            ("2.1.dev3", "2.1.0~~dev3"),
            ("1.0.post1", "1.0.0.post1"),
            ("1.0-1", "1.0.0.post1"),
            ("1.0rc1.post2.dev1", "1.0.0~rc1.post2~dev1"),
            ("1.0+ubuntu.1", "1.0.0^ubuntu.1"),
            ("0!1.0", "1.0.0"),
        ] {
            assert_eq!(pep440_to_rpm_version(python).as_deref(), Ok(rpm), "{python}");
        }
    }

    #[test]
    fn epoch_and_mixed_local_part_are_refused() {
        for (python, expected) in [
            ("1!2.0", "has the epoch `1!`, which packages have no place for"),
            ("2.0.1+cu118", "has `cu118` after `+`, which Python compares letter by letter"),
            ("1.0-SNAPSHOT", "is not one of Python's (PEP 440)"),
            ("one", "is not one of Python's (PEP 440)"),
        ] {
            let error = pep440_to_rpm_version(python).unwrap_err();
            assert!(error.contains(expected), "{python}: {error}");
        }
    }
}
