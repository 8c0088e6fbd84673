//! Until when a run may fetch: a server that answers slowly, and never stops to, must not keep it for ever.

use std::time::Duration;

use crate::time_text::UnixMicros;

/// The moment at which fetching ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FetchDeadline {
    now: fn() -> UnixMicros,
    until_us: UnixMicros,
    seconds: u64,
}

impl FetchDeadline {
    /// In so many seconds from now.
    pub(crate) fn in_seconds(seconds: u64, now: fn() -> UnixMicros) -> Self {
        let after = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        Self { now, until_us: now().saturating_add(after), seconds }
    }

    /// The time that is left; nothing when it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until_us.saturating_sub((self.now)());
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_micros)
    }

    /// What is said when it is over.
    pub(super) fn message(&self) -> String {
        format!(
            "the {} s that this run may take to fetch are over; a longer time can be given with `--deadline`",
            self.seconds
        )
    }
}
