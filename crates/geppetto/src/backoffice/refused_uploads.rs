//! Refused uploads in the audit log: what a broken program sends again and again is counted, not logged row by row.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long refusals of one actor are counted after one that is in the log, in microseconds.
const COUNTED_FOR_US: i64 = 3_600_000_000;

/// The refusals that are not in the audit log yet, by actor.
#[derive(Debug, Default)]
pub(super) struct RefusedUploadCounts(Mutex<HashMap<String, CountedRefusals>>);

#[derive(Debug, Clone, Copy)]
struct CountedRefusals {
    /// When the last one was logged.
    logged_us: i64,
    /// How many came since.
    more: u64,
}

impl RefusedUploadCounts {
    /// Counts a refused upload. Gives how many were counted before it when it is to be logged, too.
    pub(super) fn count_refusal(&self, actor: &str, now_us: i64) -> Option<u64> {
        let mut counts = self.counts();
        // What was logged long ago needs no entry.
        counts.retain(|_, one| one.more > 0 || now_us - one.logged_us < COUNTED_FOR_US);
        match counts.get_mut(actor) {
            Some(one) if now_us - one.logged_us < COUNTED_FOR_US => {
                one.more += 1;
                None
            }
            found => {
                let before = found.map_or(0, |one| one.more);
                counts.insert(actor.to_owned(), CountedRefusals { logged_us: now_us, more: 0 });
                Some(before)
            }
        }
    }

    /// How many refusals of this actor were counted and not logged; they are from now on.
    pub(super) fn take_count(&self, actor: &str) -> u64 {
        self.counts().get_mut(actor).map_or(0, |one| std::mem::take(&mut one.more))
    }

    /// The same of all actors.
    pub(super) fn take_all_counts(&self) -> Vec<(String, u64)> {
        let counted = self.counts().drain().filter(|(_, one)| one.more > 0).collect::<Vec<_>>();
        counted.into_iter().map(|(actor, one)| (actor, one.more)).collect()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, CountedRefusals>> {
        // Each count is true by itself, also when the last user panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a sentence that tells of counted refusals.
pub(super) fn describe_counted_refusals(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 more refused upload before it is only counted".to_owned(),
        count => format!("; {count} more refused uploads before it are only counted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_refusal_of_an_hour_is_logged_with_the_number_of_those_before_it() {
        let counts = RefusedUploadCounts::default();
        assert_eq!(counts.count_refusal("token ci", 0), Some(0));
        assert_eq!(counts.count_refusal("token ci", 1), None);
        assert_eq!(counts.count_refusal("token other", 2), Some(0));
        assert_eq!(counts.count_refusal("token ci", 3), None);
        assert_eq!(counts.count_refusal("token ci", COUNTED_FOR_US), Some(2));
        assert_eq!(counts.count_refusal("token ci", COUNTED_FOR_US + 1), None);
        assert_eq!((counts.take_count("token ci"), counts.take_count("token ci")), (1, 0));
        assert_eq!(counts.count_refusal("token ci", COUNTED_FOR_US + 2), None);
        assert_eq!(counts.take_all_counts(), [("token ci".to_owned(), 1)]);
    }
}
