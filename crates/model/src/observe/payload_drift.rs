//! What of an installed package is no longer as the package brought it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The paths of a package that differ from what the package brought, and how.
pub type PayloadDrift = BTreeMap<String, BTreeSet<PathDrift>>;

/// How one path differs from what its package brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathDrift {
    /// Nothing is there.
    Missing,
    /// Something of another kind is there: a folder where a file was.
    Type,
    /// A file holds something else.
    Content,
    /// A link leads elsewhere.
    Target,
    /// It is no path: a script of the package failed when it was installed.
    FailedScriptlet,
    /// Its permission bits are others.
    Mode {
        /// What they are.
        now: u32,
        /// What the package says.
        packaged: u32,
    },
    /// It is of another user.
    Owner {
        /// Whose it is.
        now: String,
        /// What the package says.
        packaged: String,
    },
    /// It is of another group.
    Group {
        /// Whose it is.
        now: String,
        /// What the package says.
        packaged: String,
    },
}

impl fmt::Display for PathDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathDrift::Missing => f.write_str("missing"),
            PathDrift::Type => f.write_str("replaced by something of another kind"),
            PathDrift::Content => f.write_str("content changed"),
            PathDrift::Target => f.write_str("target changed"),
            PathDrift::FailedScriptlet => f.write_str("failed when the package was installed"),
            PathDrift::Mode { now, packaged } => write!(f, "mode {now:04o} instead of {packaged:04o}"),
            PathDrift::Owner { now, packaged } => write!(f, "owner {now} instead of {packaged}"),
            PathDrift::Group { now, packaged } => write!(f, "group {now} instead of {packaged}"),
        }
    }
}

/// One line for each path: `/usr/bin/shop: content changed, mode 0777 instead of 0755`.
pub fn payload_drift_lines(drift: &PayloadDrift) -> BTreeSet<String> {
    let line = |(path, how): (&String, &BTreeSet<PathDrift>)| {
        let how: Vec<String> = how.iter().map(PathDrift::to_string).collect();
        format!("{path}: {}", how.join(", "))
    };
    drift.iter().map(line).collect()
}
