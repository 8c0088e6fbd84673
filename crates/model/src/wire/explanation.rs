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
        if self.voices.is_empty() {
            f.write_str("\n  as the node file says; it was written by hand")?;
        }
        for voice in &self.voices {
            let said = if voice.removes {
                "takes away what weaker places say".to_owned()
            } else {
                format!("says {}", shown(&voice.value))
            };
            let counts = if voice.counts { "counts" } else { "loses " };
            write!(f, "\n  {counts}  {} {said}", voice.place)?;
            match (&voice.revision, &voice.by) {
                (Some(revision), Some(by)) => write!(f, " (revision {revision} by {by})")?,
                (Some(revision), None) => write!(f, " (revision {revision})")?,
                _ => (),
            }
        }
        Ok(())
    }
}
