//! The explanation in words, the same wherever people read it.

use super::{ExplainedProvenance, Explanation};

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

    fn operation(&self, entry: &ExplainedProvenance) -> String {
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
    pub fn summary(&self) -> String {
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
