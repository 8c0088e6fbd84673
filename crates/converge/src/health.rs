//! Health checks: asked again and again until they answer or their time is over.

use std::{thread, time::Duration};

use model::health::HealthCheck;

use crate::Host;

/// The pause between two questions, in microseconds.
const PAUSE_US: u64 = 250_000;

/// Repeats a check until it succeeds or its time is over; the error is the last answer.
pub(crate) fn repeat_health_check_until_success(
    host: &dyn Host,
    check: &HealthCheck,
    clock: &dyn Fn() -> i64,
) -> Result<(), String> {
    let started = clock();
    let mut paused_us = 0;
    loop {
        let Err(answer) = host.run_health_probe(&check.probe) else { return Ok(()) };
        if check.is_timed_out(clock().saturating_sub(started), paused_us) {
            return Err(answer);
        }
        thread::sleep(Duration::from_micros(PAUSE_US));
        paused_us += PAUSE_US;
    }
}
