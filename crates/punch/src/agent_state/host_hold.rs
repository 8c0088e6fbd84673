//! The hold of a host: as long as it lasts, the timer does not restore.

use model::exit::Exit;
use serde::{Deserialize, Serialize};

use super::{AgentStateFiles, path};
use crate::{
    command_error::CommandError,
    time_text::{self, UnixMicros},
};

/// The hold, while there is one.
const HOLD: &str = "hold.json";

/// Somebody keeps the timer away from this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostHold {
    /// Since when.
    pub(crate) since_us: UnixMicros,
    /// Until when; until it is released when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until_us: Option<UnixMicros>,
    /// Why, in the words of who typed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl HostHold {
    /// `since 2026-12-01 08:00:00 UTC, until it is released: new kernel`.
    pub(crate) fn describe(&self) -> String {
        let since = time_text::format_utc(self.since_us);
        let until = match self.until_us {
            Some(until) => format!("until {}", time_text::format_utc(until)),
            None => "until it is released".to_owned(),
        };
        let reason = self.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("since {since}, {until}{reason}")
    }

    fn lasts_at(&self, now: UnixMicros) -> bool {
        self.until_us.is_none_or(|until| now < until)
    }
}

impl AgentStateFiles {
    /// The hold that lasts now, if there is one.
    pub(crate) fn read_hold_lasting_at(&self, now: UnixMicros) -> Result<Option<HostHold>, CommandError> {
        let Some(text) = self.files.read_text_file_if_exists(&path(HOLD))? else { return Ok(None) };
        let hold: HostHold = serde_json::from_str(&text).map_err(|error| {
            let shown = self.files.display_path(&path(HOLD));
            CommandError::blocked_error(format!("{}: not what punch writes: {error}", shown.display()))
                .with_hint("it keeps the timer from this host; `punch hold --release` removes it")
        })?;
        Ok(Some(hold).filter(|hold| hold.lasts_at(now)))
    }

    /// Writes down that the host is held.
    pub(crate) fn save_hold(&self, hold: &HostHold) -> Result<(), CommandError> {
        let text = serde_json::to_vec_pretty(hold)
            .map_err(|error| CommandError::new(Exit::Bug, format!("a hold cannot be written: {error}")))?;
        self.files.replace_file(&path(HOLD), &text, 0o600)
    }

    /// Ends the hold; there need not be one.
    pub(crate) fn remove_hold(&self) -> Result<(), CommandError> {
        self.files.remove_file_if_exists(&path(HOLD))
    }
}
