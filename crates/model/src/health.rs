//! Health checks: what is asked at the end of a run, how long, and what counts as healthy.
//!
//! Asking is the host's part; everything that is decided about an answer is decided here.

use std::fmt;

use crate::{
    deployment_manifest::{
        field_reader::{DeclarationFieldReader, absolute_command_words_from_list, scalar_to_text},
        keyword_definitions::{
            DeclarationKeywordDefinition,
            FieldValueShape::{Command, Number, Text},
        },
    },
    value::Value,
};

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

/// The kinds of health check.
pub(crate) const HEALTH_CHECK_KEYWORDS: &[DeclarationKeywordDefinition] = &[
    DeclarationKeywordDefinition {
        word: "http",
        subject: (Text, "A URL that must answer: http://HOST:PORT/PATH."),
        fields: &[
            ("status", Number, "The status it must answer with; 200 when left out."),
            ("contains", Text, "A text the answer must hold."),
        ],
        required: &[],
    },
    DeclarationKeywordDefinition {
        word: "tcp",
        subject: (Text, "HOST:PORT that must accept a connection."),
        fields: &[],
        required: &[],
    },
    DeclarationKeywordDefinition {
        word: "command",
        subject: (
            Command,
            "A command that must succeed: the program with its absolute path, and its arguments.",
        ),
        fields: &[],
        required: &[],
    },
];

impl HealthCheck {
    /// Whether its time is over. `elapsed_us` is what the clock says, `paused_us` how long the run waited:
    /// a clock that stands still cannot keep a run waiting for ever.
    pub fn is_timed_out(&self, elapsed_us: i64, paused_us: u64) -> bool {
        let within_us = self.within.saturating_mul(1_000_000);
        paused_us >= within_us || u64::try_from(elapsed_us).is_ok_and(|elapsed| elapsed >= within_us)
    }

    /// What a report says about a check that did not succeed in time; `answer` is the last answer.
    pub fn timed_out_check_message(&self, answer: &str) -> String {
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
pub const MAX_SEARCHED_HTTP_BODY_BYTES: u64 = 1024 * 1024;

/// Asks `url` with `get`, which is given the most bytes of the body to read: it must answer with `status`, and
/// with `contains` in its body. The error says what it answered instead.
pub fn request_and_check_http_answer(
    url: &str,
    status: u16,
    contains: Option<&str>,
    get: impl FnOnce(&str, u64) -> Result<HttpAnswer, String>,
) -> Result<(), String> {
    let answer = get(url, if contains.is_some() { MAX_SEARCHED_HTTP_BODY_BYTES } else { 0 })?;
    if answer.status != status {
        let shown = shorten(&String::from_utf8_lossy(&answer.body));
        let shown = if shown.trim().is_empty() { String::new() } else { format!(": `{}`", shown.trim()) };
        return Err(format!("{url} answered {}, not {status}{shown}", answer.status));
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

/// What the health check asks; mistakes are noted in `fields`. They do not show a `subject` that is `secret`.
pub(crate) fn read_health_probe_fields(
    word: &str,
    subject: Value,
    secret: bool,
    fields: &mut DeclarationFieldReader<'_>,
) -> Option<HealthProbe> {
    let found = subject.describe_with_type(secret);
    match word {
        "command" if secret => {
            fields.add_declaration_error(&format!(
                "a secret cannot be among the words of a `command`: every user of the host can read the arguments of a running program; let the program read it from a file that only it may read. The value is {found}"
            ));
            None
        }
        "command" => match absolute_command_words_from_list(subject) {
            Some(command) => Some(HealthProbe::Command { command }),
            None => {
                fields.add_declaration_error(&format!(
                    "`command` must be a list: the program with its absolute path, then its arguments; it is {found}"
                ));
                None
            }
        },
        "tcp" => {
            let address = scalar_to_text(subject).unwrap_or_default();
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) {
                fields.add_declaration_error(&format!(
                    "write HOST:PORT, for instance `127.0.0.1:8080`; it is {found}"
                ));
            }
            Some(HealthProbe::Tcp { address })
        }
        _ => {
            let url = scalar_to_text(subject).unwrap_or_default();
            let rest = url.strip_prefix("http://").unwrap_or_default();
            if rest.is_empty()
                || rest.starts_with(['/', ':'])
                || url.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                fields.add_declaration_error(&format!(
                    "write a URL that starts with `http://` and a host, for instance `http://127.0.0.1:8080/health`; it is {found}"
                ));
            }
            let status = fields
                .read_unsigned_integer("status")
                .map_or(200, |status| u16::try_from(status).unwrap_or(0));
            if !(100..=599).contains(&status) {
                fields.add_declaration_error("`status` must be from 100 to 599");
            }
            Some(HealthProbe::Http { url, status, contains: fields.read_optional_text("contains") })
        }
    }
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
