//! Ends work on another thread when nobody waits for it any more: the future of a request is dropped when its client is
//! gone or its time is over.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Owned by the future of a request; dropping it sets the flag.
#[derive(Debug, Default)]
pub(super) struct CancelWhenDropped(Arc<AtomicBool>);

impl CancelWhenDropped {
    /// For the thread that works: true once the request was dropped.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for CancelWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_is_cancelled_when_the_future_that_waits_is_dropped() {
        let waiting = CancelWhenDropped::default();
        let flag = waiting.flag();
        let works_for_ever = async move {
            let _waiting = waiting;
            std::future::pending::<()>().await;
        };
        let timed_out = tokio::time::timeout(Duration::from_millis(1), works_for_ever).await;
        assert!(timed_out.is_err());
        assert!(flag.load(Ordering::Relaxed));
    }
}
