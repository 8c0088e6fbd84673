//! The state of a server in one word, from what it reported last.

use crate::store::ServerStatusRow;

/// After how long without a report a server is stale, in microseconds: three hours. Hosts report at least every half hour.
const STALE_AFTER_US: i64 = 3 * 3_600_000_000;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerState {
    /// Its last run failed, or was interrupted.
    Failed,
    /// Its last run could not change anything.
    Blocked,
    /// Its last run left some components as they were.
    Partly,
    /// It went back to an earlier generation.
    RolledBack,
    /// It has not reported for a long time.
    Stale,
    /// It has never reported.
    NeverSeen,
    /// Its last run changed something.
    Changed,
    /// Its last run found nothing to change.
    Converged,
}

impl ServerState {
    /// All of them, what needs a person first.
    pub(crate) const ALL_SERVER_STATES: [ServerState; 8] = [
        ServerState::Failed,
        ServerState::Blocked,
        ServerState::Partly,
        ServerState::RolledBack,
        ServerState::Stale,
        ServerState::NeverSeen,
        ServerState::Changed,
        ServerState::Converged,
    ];

    /// The state of a server at `now_us`.
    pub(super) fn server_state_from_status(status: &ServerStatusRow, now_us: i64) -> Self {
        let (Some(reported_us), Some(outcome)) = (status.reported_us, status.outcome.as_deref()) else {
            return ServerState::NeverSeen;
        };
        match outcome {
            "failed" | "interrupted" => ServerState::Failed,
            "blocked" => ServerState::Blocked,
            "partly" => ServerState::Partly,
            "rolled-back" => ServerState::RolledBack,
            _ if now_us.saturating_sub(reported_us) > STALE_AFTER_US => ServerState::Stale,
            "changed" => ServerState::Changed,
            _ => ServerState::Converged,
        }
    }

    /// Its name in addresses: `rolled-back`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ServerState::Failed => "failed",
            ServerState::Blocked => "blocked",
            ServerState::Partly => "partly",
            ServerState::RolledBack => "rolled-back",
            ServerState::Stale => "stale",
            ServerState::NeverSeen => "never-seen",
            ServerState::Changed => "changed",
            ServerState::Converged => "converged",
        }
    }

    /// Its name for people: `rolled back`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            ServerState::RolledBack => "rolled back",
            ServerState::NeverSeen => "never seen",
            other => other.as_str(),
        }
    }

    /// A shape that tells it from the others without any colour.
    pub(crate) fn glyph(self) -> &'static str {
        match self {
            ServerState::Failed => "▲",
            ServerState::Blocked => "■",
            ServerState::Partly => "◧",
            ServerState::RolledBack => "↺",
            ServerState::Stale => "◌",
            ServerState::NeverSeen => "○",
            ServerState::Changed => "◐",
            ServerState::Converged => "●",
        }
    }

    /// Whether somebody should look.
    pub(crate) fn needs_a_person(self) -> bool {
        self <= ServerState::Stale
    }

    /// The state of this name.
    pub(crate) fn parse_state_name(text: &str) -> Option<Self> {
        Self::ALL_SERVER_STATES.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_follows_the_last_outcome_and_its_age() {
        let status = |outcome: &str| ServerStatusRow {
            outcome: Some(outcome.to_owned()),
            reported_us: Some(1_000),
            ..ServerStatusRow::default()
        };
        let state = |outcome: &str, now_us| ServerState::server_state_from_status(&status(outcome), now_us);
        assert_eq!(state("unchanged", 1_000 + STALE_AFTER_US), ServerState::Converged);
        assert_eq!(state("unchanged", 1_001 + STALE_AFTER_US), ServerState::Stale);
        assert_eq!(state("changed", 1_000), ServerState::Changed);
        // What failed is more than stale, however long ago.
        assert_eq!(state("failed", i64::MAX), ServerState::Failed);
        let never = ServerState::server_state_from_status(&ServerStatusRow::default(), 1);
        assert_eq!(never, ServerState::NeverSeen);
    }

    #[test]
    fn every_state_is_found_by_its_name_and_has_a_shape_of_its_own() {
        let mut glyphs: Vec<&str> = Vec::new();
        for state in ServerState::ALL_SERVER_STATES {
            assert_eq!(ServerState::parse_state_name(state.as_str()), Some(state));
            assert!(!glyphs.contains(&state.glyph()), "{}", state.glyph());
            glyphs.push(state.glyph());
        }
        assert_eq!(ServerState::parse_state_name("fine"), None);
    }
}
