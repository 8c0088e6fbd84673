//! How much one principal may have the control plane do at once: so many requests of a kind are served, so many wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::ProblemResponse;

/// When a client that has too many requests should try again, in seconds.
const RETRY_AFTER: u32 = 10;

/// The slots of each principal for one kind of request.
#[derive(Debug)]
pub(super) struct PrincipalSlots {
    /// `uploads`.
    what: &'static str,
    /// How many requests of one principal are served at once; further ones wait.
    served: usize,
    /// How many requests of one principal wait at most: each of them holds a connection.
    waiting: usize,
    principals: Mutex<HashMap<String, Weak<SlotsOfPrincipal>>>,
}

/// The requests of one principal.
#[derive(Debug)]
struct SlotsOfPrincipal {
    /// One permit for each request that is served.
    served: Arc<Semaphore>,
    /// One permit for each request that is served or waits.
    served_or_waiting: Arc<Semaphore>,
}

/// A request that is served; the next one gets its slot when it is dropped.
#[derive(Debug)]
pub(super) struct PrincipalSlot {
    _served: OwnedSemaphorePermit,
    _served_or_waiting: OwnedSemaphorePermit,
    /// Kept as long as anybody uses it.
    _principal: Arc<SlotsOfPrincipal>,
}

impl PrincipalSlots {
    /// Slots for requests of this kind: `served` of one principal at once, while `waiting` wait.
    pub(super) fn new(what: &'static str, served: usize, waiting: usize) -> Self {
        Self { what, served, waiting, principals: Mutex::default() }
    }

    /// Waits for a free slot of this principal. A waiting request holds no thread and does not delay other principals.
    /// Refused when too many of this principal wait already.
    pub(super) async fn acquire_slot(&self, principal: String) -> Result<PrincipalSlot, ProblemResponse> {
        let slots = self.slots_of(&principal);
        let waiting = Arc::clone(&slots.served_or_waiting).try_acquire_owned().map_err(|_| {
            let Self { what, served, waiting, .. } = self;
            ProblemResponse::too_many_requests(
                RETRY_AFTER,
                format!(
                    "{principal} has {served} {what} in progress and {waiting} that wait, and more are not taken; try again \
                     when some of them are done"
                ),
            )
        })?;
        // The semaphore is never closed, so this never fails.
        let served = Arc::clone(&slots.served).acquire_owned().await;
        let served = served.map_err(|error| ProblemResponse::log_and_hide_internal_error(&error))?;
        Ok(PrincipalSlot { _served: served, _served_or_waiting: waiting, _principal: slots })
    }

    fn slots_of(&self, principal: &str) -> Arc<SlotsOfPrincipal> {
        let mut known = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, slots| slots.strong_count() > 0);
        let slots = known.get(principal).and_then(Weak::upgrade);
        slots.unwrap_or_else(|| {
            let slots = Arc::new(SlotsOfPrincipal {
                served: Arc::new(Semaphore::new(self.served)),
                served_or_waiting: Arc::new(Semaphore::new(self.served + self.waiting)),
            });
            known.insert(principal.to_owned(), Arc::downgrade(&slots));
            slots
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn uploads_of_one_principal_wait_for_each_other_and_for_nobody_else() {
        let slots = PrincipalSlots::new("uploads", 4, 16);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(slots.acquire_slot("token mallory".to_owned()).await.unwrap());
        }
        let soon = Duration::from_millis(50);
        let next = slots.acquire_slot("token mallory".to_owned());
        tokio::time::timeout(soon, next).await.unwrap_err();
        tokio::time::timeout(soon, slots.acquire_slot("token ann".to_owned())).await.unwrap().unwrap();
        held.pop();
        tokio::time::timeout(soon, slots.acquire_slot("token mallory".to_owned())).await.unwrap().unwrap();
    }
}
