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
            let said = if entry.removes {
                "takes away what weaker places say".to_owned()
            } else {
                format!("says {}", shown(&entry.value))
            };
            let effective = if entry.effective { "counts" } else { "loses " };
            write!(f, "\n  {effective}  {} {said}", entry.place)?;
            match (&entry.revision, &entry.by) {
                (Some(revision), Some(by)) => write!(f, " (revision {revision} by {by})")?,
                (Some(revision), None) => write!(f, " (revision {revision})")?,
                _ => (),
            }
        }
        Ok(())
    }
}
