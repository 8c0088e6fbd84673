//! Health checks: what is asked at the end of a run, how long, and what counts as healthy.
//!
//! Asking is the host's part; everything that is decided about an answer is decided here.

use std::fmt;

/// A check that a component answers, run at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: HealthProbe,
    /// Seconds in which it must have succeeded once.
    pub within: u64,
    /// Whether a secret value went into it: only its kind is shown.
    pub secret: bool,
}

impl HealthCheck {
    /// Whether its time is over. `elapsed_us` is what the clock says, `paused_us` how long the run waited:
    /// a clock that stands still cannot keep a run waiting for ever.
    pub fn is_over(&self, elapsed_us: i64, paused_us: u64) -> bool {
        let within_us = self.within.saturating_mul(1_000_000);
        paused_us >= within_us || u64::try_from(elapsed_us).is_ok_and(|elapsed| elapsed >= within_us)
    }

    /// What a report says about a check that did not succeed in time; `answer` is the last answer.
    pub fn failure(&self, answer: &str) -> String {
        let within = self.within;
        match self.secret {
            true => format!(
                "not within {within} s; the answer is not shown, because the check holds a secret ({} characters)",
                answer.len()
            ),
            false => format!("not within {within} s: {answer}"),
        }
    }
}

/// What an HTTP server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The body, as far as it was asked for.
    pub body: Vec<u8>,
}

/// How much of a body is searched, in bytes.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Asks `url` with `get`, which is given the most bytes of the body to read: it must answer with `status`, and
/// with `contains` in its body. The error says what it answered instead.
pub fn check_http(
    url: &str,
    status: u16,
    contains: Option<&str>,
    get: impl FnOnce(&str, u64) -> Result<HttpAnswer, String>,
) -> Result<(), String> {
    let answer = get(url, if contains.is_some() { MAX_BODY_BYTES } else { 0 })?;
    if answer.status != status {
        return Err(format!("{url} answered {}, not {status}", answer.status));
    }
    let Some(contains) = contains else { return Ok(()) };
    let body = String::from_utf8_lossy(&answer.body);
    if body.contains(contains) {
        return Ok(());
    }
    Err(format!("{url} answered {status}, but without `{}`: `{}`", shorten(contains), shorten(&body)))
}

fn shorten(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.secret {
            return self.probe.fmt(f);
        }
        let kind = match self.probe {
            HealthProbe::Http { .. } => "http",
            HealthProbe::Tcp { .. } => "tcp",
            HealthProbe::Command { .. } => "command",
        };
        write!(f, "{kind} check with a secret in it")
    }
}

/// What a health check asks.
#[derive(Debug, Clone, PartialEq)]
pub enum HealthProbe {
    /// `GET url` answers with this status, and with this text in its body.
    Http {
        /// `http://host:port/path`.
        url: String,
        /// The status expected.
        status: u16,
        /// A text the body must hold.
        contains: Option<String>,
    },
    /// A TCP connection opens.
    Tcp {
        /// `host:port`.
        address: String,
    },
    /// A command exits 0.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
}

impl fmt::Display for HealthProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HealthProbe::Http { url, status, .. } => write!(f, "http {url} answers {status}"),
            HealthProbe::Tcp { address } => write!(f, "tcp {address} accepts"),
            HealthProbe::Command { command } => write!(f, "command {} succeeds", command.join(" ")),
        }
    }
}
