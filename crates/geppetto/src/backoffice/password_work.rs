//! Hashing of passwords, which is slow on purpose: off the threads that answer requests, and a few at a time.

use tokio::sync::Semaphore;

use super::BackOfficeError;

/// How many passwords are hashed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Where passwords are hashed.
#[derive(Debug)]
pub(crate) struct PasswordWork {
    places: Semaphore,
}

impl Default for PasswordWork {
    fn default() -> Self {
        Self { places: Semaphore::new(AT_ONCE) }
    }
}

impl PasswordWork {
    /// Runs it when its turn comes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BackOfficeError> {
        let broken = |error: &dyn std::error::Error| {
            BackOfficeError::Broken(format!("a password cannot be checked: {error}"))
        };
        // The semaphore is never closed.
        let _place = self.places.acquire().await.map_err(|error| broken(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error))
    }
}
