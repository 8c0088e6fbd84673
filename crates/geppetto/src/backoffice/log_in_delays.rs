//! Failed attempts to log in make the next ones wait, and keep nobody out: the right password is accepted when its turn comes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many attempts with one name from one address are not slowed down.
const FREE_ATTEMPTS: u32 = 4;
/// The longest wait of one attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How many attempts with one name from one address wait at once.
const WAITING: u32 = 3;
/// After how long without an attempt all is forgotten, in microseconds: a quarter of an hour.
const FORGOTTEN_AFTER_US: i64 = 900_000_000;
/// How many names and addresses are remembered; then the oldest are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default, Clone, Copy)]
struct Attempts {
    failed: u32,
    waiting: u32,
    last_us: i64,
}

/// Failed attempts by name and address. Somebody who guesses from elsewhere slows down nobody but himself.
#[derive(Debug, Default)]
pub(crate) struct LogInDelays {
    attempts: Mutex<BTreeMap<(String, String), Attempts>>,
}

/// An attempt that waits or is checked; forgotten when it is dropped.
#[derive(Debug)]
pub(super) struct LogInAttempt<'a> {
    delays: &'a LogInDelays,
    key: (String, String),
    /// How long it has to wait before it is checked.
    pub(super) wait: Duration,
}

impl LogInDelays {
    /// Lets an attempt in; nothing when too many of the same wait already.
    pub(super) fn begin_attempt(&self, name: &str, address: &str, now_us: i64) -> Option<LogInAttempt<'_>> {
        let name: String = name.chars().take(63).collect();
        let key = (name, address.to_owned());
        let mut attempts = self.locked();
        if attempts.len() >= REMEMBERED {
            attempts.retain(|_, of| of.waiting > 0 || now_us.saturating_sub(of.last_us) < FORGOTTEN_AFTER_US);
        }
        if attempts.len() >= REMEMBERED && !attempts.contains_key(&key) {
            let oldest = attempts.iter().filter(|(_, of)| of.waiting == 0).min_by_key(|(_, of)| of.last_us);
            let oldest = oldest.map(|(key, _)| key.clone())?;
            attempts.remove(&oldest);
        }
        let of = attempts.entry(key.clone()).or_default();
        if now_us.saturating_sub(of.last_us) >= FORGOTTEN_AFTER_US && of.waiting == 0 {
            of.failed = 0;
        }
        if of.waiting >= WAITING {
            return None;
        }
        of.waiting += 1;
        of.last_us = now_us;
        let slowed = (of.failed + of.waiting - 1).saturating_sub(FREE_ATTEMPTS - 1);
        let wait = match slowed {
            0 => Duration::ZERO,
            slowed => LONGEST_WAIT.min(Duration::from_secs(1 << (slowed - 1).min(8))),
        };
        Some(LogInAttempt { delays: self, key, wait })
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<(String, String), Attempts>> {
        // What is in there is whole at every moment.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogInAttempt<'_> {
    /// Notes how it ended.
    pub(super) fn finish(self, succeeded: bool) {
        if let Some(of) = self.delays.locked().get_mut(&self.key) {
            of.failed = if succeeded { 0 } else { of.failed.saturating_add(1) };
        }
    }
}

impl Drop for LogInAttempt<'_> {
    fn drop(&mut self) {
        if let Some(of) = self.delays.locked().get_mut(&self.key) {
            of.waiting = of.waiting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(delays: &LogInDelays, name: &str, address: &str, at_us: i64) -> Duration {
        let attempt = delays.begin_attempt(name, address, at_us).unwrap();
        let wait = attempt.wait;
        attempt.finish(false);
        wait
    }

    #[test]
    fn failed_attempts_wait_longer_and_longer_and_others_do_not() {
        let delays = LogInDelays::default();
        let waits: Vec<u64> = (0..9).map(|_| fail(&delays, "ann", "10.0.0.1", 1).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 8]);
        assert_eq!(fail(&delays, "ann", "10.0.0.2", 1), Duration::ZERO);
        assert_eq!(fail(&delays, "ben", "10.0.0.1", 1), Duration::ZERO);
    }

    #[test]
    fn success_or_a_quarter_of_an_hour_ends_the_waits() {
        let delays = LogInDelays::default();
        for _ in 0..9 {
            fail(&delays, "ann", "10.0.0.1", 1);
        }
        delays.begin_attempt("ann", "10.0.0.1", 1).unwrap().finish(true);
        assert_eq!(fail(&delays, "ann", "10.0.0.1", 1), Duration::ZERO);
        for _ in 0..9 {
            fail(&delays, "ben", "10.0.0.1", 1);
        }
        assert_eq!(fail(&delays, "ben", "10.0.0.1", 1 + FORGOTTEN_AFTER_US), Duration::ZERO);
    }

    #[test]
    fn attempts_that_wait_at_once_are_bounded() {
        let delays = LogInDelays::default();
        let waiting: Vec<_> =
            (0..WAITING).map(|_| delays.begin_attempt("ann", "10.0.0.1", 1).unwrap()).collect();
        assert!(delays.begin_attempt("ann", "10.0.0.1", 1).is_none());
        drop(waiting);
        assert!(delays.begin_attempt("ann", "10.0.0.1", 1).is_some());
    }
}
