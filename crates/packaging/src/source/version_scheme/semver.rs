//! The versions of npm and Cargo, in the order of Semantic Versioning.
//!
//! The rules are those of [Semantic Versioning 2.0.0](https://semver.org/spec/v2.0.0.html#spec-item-11): a pre-release
//! (`-rc.1`) is before its release. Its parts between dots are compared one by one: numbers as numbers, others letter by
//! letter, a number before the others, and what ends first is first. Build metadata (`+build`) is no part of the order,
//! so it is left out.
//!
//! RPM has `1.0.0~rc.1` for it, and `1.0.0~~1` for a pre-release that starts with a number. RPM compares digits within a
//! word as a number and sorts a number after a word, so words with digits, and words after the first part, are refused.

use semver::Version;

/// Writes a version of npm's or Cargo's as RPM's.
pub(super) fn semver_to_rpm_version(text: &str) -> Result<String, String> {
    // npm takes a leading `v` away too.
    let version = Version::parse(text.strip_prefix('v').unwrap_or(text))
        .map_err(|_| "is not one of SemVer, for instance `1.2.0` or `1.2.0-rc.1`".to_owned())?;
    let release = format!("{}.{}.{}", version.major, version.minor, version.patch);
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let pre = version.pre.as_str();
    for (at, part) in pre.split('.').enumerate() {
        if is_number(part) {
            continue;
        }
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        if !letters.chars().all(|c| c.is_ascii_alphabetic()) {
            return Err(format!("has `{part}`; write only letters or only digits between two dots"));
        }
        if letters.len() < part.len() {
            let apart = format!("{letters}.{}", &part[letters.len()..]);
            return Err(format!(
                "has `{part}`, and SemVer sorts `{letters}10` before `{letters}2`; write `{apart}`"
            ));
        }
        if at > 0 {
            return Err(format!(
                "has the word `{part}` after the first part, which SemVer sorts after all numbers; write a number there"
            ));
        }
    }
    Ok(match pre {
        "" => release,
        pre if pre.split('.').next().is_some_and(is_number) => format!("{release}~~{pre}"),
        pre => format!("{release}~{pre}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_release_becomes_a_tilde_and_build_metadata_is_left_out() {
        for (semver, rpm) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3", "1.2.3"),
            ("1.0.0-rc.1", "1.0.0~rc.1"),
            ("1.0.0-SNAPSHOT", "1.0.0~SNAPSHOT"),
            ("1.0.1-0", "1.0.1~~0"),
            ("5.5.0-dev.20240501", "5.5.0~dev.20240501"),
            ("1.0.0-beta.2+exp.sha.5114f85", "1.0.0~beta.2"),
        ] {
            assert_eq!(semver_to_rpm_version(semver).as_deref(), Ok(rpm), "{semver}");
        }
    }

    #[test]
    fn pre_release_without_an_equal_order_in_rpm_is_refused_with_advice() {
        for (semver, expected) in [
            ("1.0.0-rc1", "has `rc1`, and SemVer sorts `rc10` before `rc2`; write `rc.1`"),
            ("1.0.0-alpha.beta", "has the word `beta` after the first part"),
            ("18.3.0-canary-a87edf62d-20240422", "write only letters or only digits between two dots"),
            ("1.0", "is not one of SemVer"),
            ("01.0.0", "is not one of SemVer"),
        ] {
            let error = semver_to_rpm_version(semver).unwrap_err();
            assert!(error.contains(expected), "{semver}: {error}");
        }
    }
}
