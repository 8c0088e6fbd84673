//! The explanation in words, the same wherever people read it.

use super::Explanation;

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<serde_json::Value>| match value {
            Some(value) => value.to_string(),
            None if self.secret => "(secret)".to_owned(),
            None => "(nothing)".to_owned(),
        };
        write!(f, "{} = {}", self.key, shown(&self.value))?;
        if self.provenance.is_empty() {
            f.write_str("\n  from a node file written by hand")?;
        }
        for entry in &self.provenance {
            let operation = if entry.removes {
                "removes the values of weaker places".to_owned()
            } else {
                format!("sets {}", shown(&entry.value))
            };
            let effect = if entry.effective { "effective " } else { "overridden" };
            write!(f, "\n  {effect}  {} {operation}", entry.place)?;
            match (&entry.revision, &entry.by) {
                (Some(revision), Some(by)) => write!(f, " (revision {revision} by {by})")?,
                (Some(revision), None) => write!(f, " (revision {revision})")?,
                _ => (),
            }
        }
        Ok(())
    }
}
