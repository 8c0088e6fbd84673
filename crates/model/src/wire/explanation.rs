//! Explanations, and how they read in words wherever people read them.

use serde::{Deserialize, Serialize};

shape! {
    /// Why a value is what it is.
    pub struct Explanation {
        /// `component.parameter`.
        pub key: String,
        /// The final value; absent for secrets.
        pub value: Option<serde_json::Value>,
        /// Whether it is a secret.
        pub secret: bool,
        /// The places that set or removed it, winner first.
        pub provenance: Vec<ExplainedProvenanceEntry>,
        /// Where each entry of a map that was merged from several places comes from.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub entries: Vec<ExplainedMapEntry>,
    }

    /// One entry of a merged map.
    pub struct ExplainedMapEntry {
        /// Its path inside the map: `team` or `limits.memory`.
        pub path: String,
        /// Its value.
        pub value: serde_json::Value,
        /// The place it comes from.
        pub place: Option<String>,
    }

    /// One place's part in it.
    pub struct ExplainedProvenanceEntry {
        /// `role web`, `server web-01`, `default of shop`.
        pub place: String,
        /// The value; for the removal of one map entry its path. Absent for secrets and for the
        /// removal of everything.
        pub value: Option<serde_json::Value>,
        /// Whether it removes the values of weaker places.
        pub removes: bool,
        /// Whether it only constrains the version of a component.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub constrains: bool,
        /// The places whose values a removal takes away.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub takes_away: Vec<String>,
        /// Whether it takes part in the final value.
        pub effective: bool,
        /// The revision that brought it.
        pub revision: Option<u64>,
        /// Who committed that revision.
        pub by: Option<String>,
    }
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.key, self.shown(&self.value))?;
        if self.provenance.is_empty() {
            f.write_str("\n  from a node file written by hand")?;
        }
        for entry in &self.provenance {
            let effect = if entry.effective { "effective " } else { "overridden" };
            write!(f, "\n  {effect}  {} {}", entry.place, self.operation(entry))?;
            match (&entry.revision, &entry.by) {
                (Some(revision), Some(by)) => write!(f, " (revision {revision} by {by})")?,
                (Some(revision), None) => write!(f, " (revision {revision})")?,
                _ => (),
            }
        }
        if !self.entries.is_empty() {
            f.write_str("\n  entries:")?;
        }
        for entry in &self.entries {
            let place = entry.place.as_deref().unwrap_or("several places");
            write!(f, "\n    {} = {} from {place}", entry.path, entry.value)?;
        }
        Ok(())
    }
}

impl Explanation {
    fn shown(&self, value: &Option<serde_json::Value>) -> String {
        match value {
            Some(value) => value.to_string(),
            None if self.secret => "(secret)".to_owned(),
            None => "(nothing)".to_owned(),
        }
    }

    fn operation(&self, entry: &ExplainedProvenanceEntry) -> String {
        match &entry.value {
            Some(value) if entry.constrains => format!("constrains the version to {value}"),
            // An excluded version, or the path of an entry.
            Some(value) if entry.removes => match entry.takes_away.is_empty() {
                true => format!("removes {value}"),
                false => format!("removes {value} of {}", entry.takes_away.join(", ")),
            },
            _ if entry.removes && entry.takes_away.is_empty() => {
                "removes the values of weaker places".to_owned()
            }
            _ if entry.removes => format!("removes what is set by {}", entry.takes_away.join(", ")),
            value => format!("sets {}", self.shown(value)),
        }
    }

    /// The key, its value and where it comes from, on one line.
    pub fn explanation_summary_line(&self) -> String {
        let places: Vec<&str> = self
            .provenance
            .iter()
            .filter(|entry| entry.effective && !entry.removes && !entry.constrains)
            .map(|entry| entry.place.as_str())
            .collect();
        let origin = match places.is_empty() {
            true => "a node file written by hand".to_owned(),
            false => places.join(", "),
        };
        format!("{} = {}  [{origin}]", self.key, self.shown(&self.value))
    }
}
