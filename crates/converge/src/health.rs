//! Health checks: asked again and again until they answer or their time is over.

use std::{thread, time::Duration};

use model::resource::HealthCheck;

use crate::Host;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// Repeats a check until it succeeds or its time is over; the error is the last answer.
pub(crate) fn check_until_healthy(
    host: &dyn Host,
    check: &HealthCheck,
    clock: &dyn Fn() -> i64,
) -> Result<(), String> {
    let started = clock();
    let within_us = i64::try_from(check.within.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    // Pauses are counted too, so that a clock that stands still cannot keep a run waiting for ever.
    let mut pauses = Duration::ZERO;
    loop {
        let Err(said) = host.probe(&check.probe) else { return Ok(()) };
        let over = clock().saturating_sub(started) >= within_us || pauses.as_secs() >= check.within;
        if over {
            return Err(said);
        }
        thread::sleep(PAUSE);
        pauses += PAUSE;
    }
}
