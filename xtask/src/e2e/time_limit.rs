//! The time a story may take: a check that hangs must fail, and say which check it is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::chore_failure::ChoreFailure;

/// Watches over one story until it is dropped.
pub(super) struct StoryTimeLimit {
    running: Arc<Mutex<&'static str>>,
    // Its end tells the watching thread that the story has ended.
    _story: mpsc::Sender<()>,
}

impl StoryTimeLimit {
    /// Calls `exceeded` from another thread when the story still runs after `longest`.
    pub(super) fn start_story_time_limit(
        story: &'static str,
        longest: Duration,
        exceeded: impl FnOnce(ChoreFailure) + Send + 'static,
    ) -> StoryTimeLimit {
        let running = Arc::new(Mutex::new("its start"));
        let (sender, receiver) = mpsc::channel();
        let watched = Arc::clone(&running);
        thread::spawn(move || {
            if receiver.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
                let check = *watched.lock().unwrap_or_else(PoisonError::into_inner);
                exceeded(ChoreFailure::new(
                    format!(
                        "the story `{story}` took longer than {} s, and was at: {check}",
                        longest.as_secs()
                    ),
                    "that check in xtask/src/e2e; `cargo xtask host` boots a host to try its commands on",
                ));
            }
        });
        StoryTimeLimit { running, _story: sender }
    }

    /// Remembers the check that runs now.
    pub(super) fn set_current_check(&self, name: &'static str) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn story_that_takes_too_long_is_reported_with_its_running_check() {
        let (sender, receiver) = mpsc::channel();
        let limit =
            StoryTimeLimit::start_story_time_limit("service", Duration::from_millis(200), move |failure| {
                sender.send(failure.what).unwrap();
            });
        limit.set_current_check("a second restore changes nothing");
        let message = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(
            message.contains("`service`") && message.contains("a second restore changes nothing"),
            "{message}"
        );
    }

    #[test]
    fn story_that_ends_in_time_is_not_reported() {
        let (sender, receiver) = mpsc::channel();
        let limit =
            StoryTimeLimit::start_story_time_limit("service", Duration::from_secs(60), move |failure| {
                sender.send(failure.what).unwrap();
            });
        drop(limit);
        // The thread ends without a report, and with it the sender.
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Err(RecvTimeoutError::Disconnected));
    }
}
