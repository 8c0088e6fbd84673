//! The clock: the one place that asks the machine for the time. Everything else takes it as an argument.

use std::{sync::Arc, time::SystemTime};

/// Tells the time, in microseconds since 1970-01-01 UTC.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub(crate) fn system_clock() -> Self {
        Self(Arc::new(|| {
            #[expect(clippy::disallowed_methods, reason = "this is the edge that asks the machine")]
            let now = SystemTime::now();
            now.duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        }))
    }

    #[cfg(test)]
    /// A clock that returns what `tell` returns.
    pub(crate) fn clock_from_function(tell: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time now, in microseconds since 1970-01-01 UTC.
    pub(crate) fn now_us(&self) -> i64 {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
