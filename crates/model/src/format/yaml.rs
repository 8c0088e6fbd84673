//! YAML, read strictly and with a bound on its work; the only place that knows the YAML library.
//!
//! Error texts never repeat a scalar of the file: any of them may be a secret.

mod mistakes;
mod unknown_keys;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_saphyr::{Error, Location};

/// A value and the line it is on.
pub use serde_saphyr::Spanned;

use crate::{fault::Fault, suggest_spelling};

/// A text that does not follow its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.file_and_line())]
pub struct FormatError {
    /// The file as the user knows it.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// The column, counted from 1.
    pub column: Option<u64>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl FormatError {
    /// An error that is about `file` as a whole.
    pub fn new(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, message: message.into() }
    }

    /// An error about one line of `file`.
    pub fn new_at_line(file: &str, line: u64, message: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::new(file, message) }
    }

    /// An error about one place of `file`.
    pub fn new_at_line_and_column(file: &str, line: u64, column: u64, message: impl Into<String>) -> Self {
        Self { line: Some(line), column: Some(column), ..Self::new(file, message) }
    }

    /// The file with its line: `roles/web.yaml:7`.
    pub fn file_and_line(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

impl From<FormatError> for Fault {
    fn from(error: FormatError) -> Self {
        let FormatError { file, line, column, message } = error;
        Fault { file: Some(file), line, column, ..Fault::new_error(message) }
    }
}

/// A file format with a version of its own: `format: geppetto/role/1` is its first line.
pub trait VersionedYamlFormat: DeserializeOwned {
    /// What `format:` must say.
    const FORMAT: &'static str;
    /// The value of `format:`.
    fn format(&self) -> &str;
}

/// The largest text read, in bytes: far above any file people write.
pub const MAX_YAML_BYTES: usize = 8 * 1024 * 1024;

/// So many texts, numbers, lists, maps and keys are read.
pub const MAX_YAML_NODES: usize = 500_000;

/// Reading stops after this many unknown keys: the file is probably of another format.
const MAX_UNKNOWN_KEYS: usize = 20;

/// Collections nested deeper than this are refused.
pub const MAX_YAML_DEPTH: usize = 64;

/// Reads one document that names its format.
pub fn parse_versioned_yaml<T: VersionedYamlFormat>(file: &str, text: &str) -> Result<T, FormatError> {
    match parse_yaml::<T>(file, text) {
        Ok(document) if document.format() == T::FORMAT => Ok(document),
        Ok(document) => Err(other_format(file, 1, document.format(), T::FORMAT)),
        Err(error) => Err(wrong_format(file, text, T::FORMAT).unwrap_or(error)),
    }
}

/// Reads one document that names its format. Unknown keys are reported and removed from the text, so that one pass
/// reports all errors.
pub fn parse_versioned_yaml_without_unknown_keys<T: VersionedYamlFormat>(
    file: &str,
    text: &str,
) -> (Option<T>, Vec<FormatError>) {
    let (mut errors, mut left_out): (_, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = text.to_owned();
    loop {
        match parse_yaml_or_fault::<T>(file, &rest) {
            Ok(document) if document.format() == T::FORMAT => return (Some(document), errors),
            Ok(document) => errors.push(other_format(file, 1, document.format(), T::FORMAT)),
            Err(fault) => {
                if let Some(other) = wrong_format(file, text, T::FORMAT) {
                    return (None, vec![other]);
                }
                let without = match (&fault.key, fault.error.line) {
                    (Some(KeyFault::Unknown(key)), Some(line)) => {
                        unknown_keys::blank_out_key(&rest, key, line)
                    }
                    _ => None,
                };
                match fault.key {
                    Some(KeyFault::Unknown(key)) => left_out.push(key),
                    // A key that is missing now may be one that was misspelt.
                    Some(KeyFault::Missing(key))
                        if suggest_spelling(&key, left_out.iter().map(String::as_str)).is_some() =>
                    {
                        return (None, errors);
                    }
                    _ => {}
                }
                errors.push(fault.error);
                if let Some(without) = without.filter(|_| errors.len() < MAX_UNKNOWN_KEYS) {
                    rest = without;
                    continue;
                }
            }
        }
        return (None, errors);
    }
}

/// Reads one YAML document; `file` is its name in errors. A byte order mark before it is skipped.
pub fn parse_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FormatError> {
    parse_yaml_or_fault(file, text).map_err(|fault| fault.error)
}

/// Why a document could not be read.
struct YamlFault {
    error: FormatError,
    /// The key it is about, if that is why.
    key: Option<KeyFault>,
}

/// What is wrong with a key.
enum KeyFault {
    /// It is not one of the format's.
    Unknown(String),
    /// It is not there.
    Missing(String),
}

impl From<FormatError> for YamlFault {
    fn from(error: FormatError) -> Self {
        Self { error, key: None }
    }
}

fn parse_yaml_or_fault<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, YamlFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_YAML_BYTES {
        return Err(FormatError::new(
            file,
            format!(
                "it has {} bytes; at most {MAX_YAML_BYTES} are read. Is this the right file?",
                text.len()
            ),
        )
        .into());
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let fault = describe_yaml_error(file, text, &error);
        // A wrong key ends reading before a syntax error that follows it, which may be the reason why it is wrong.
        fault.key.as_ref().and_then(|_| find_syntax_error(file, text)).unwrap_or(fault)
    })
}

/// The error of a text that is not YAML, whatever its keys are.
fn find_syntax_error(file: &str, text: &str) -> Option<YamlFault> {
    match serde_saphyr::from_str_with_options::<IgnoredAny>(text, options()) {
        Err(error) if matches!(error.without_snippet(), Error::ExternalMessage { .. }) => {
            Some(describe_yaml_error(file, text, &error))
        }
        _ => None,
    }
}

fn describe_yaml_error(file: &str, text: &str, error: &Error) -> YamlFault {
    let error = error.without_snippet();
    let Some(at) = error.location().filter(|location| *location != Location::UNKNOWN) else {
        return FormatError::new(file, sentence(error, "")).into();
    };
    if let Some(line) = mistakes::find_tab_indented_line_near_error(text, error, &at) {
        return FormatError::new_at_line_and_column(
            file,
            line,
            1,
            "it is indented with a tab; YAML takes only spaces there",
        )
        .into();
    }
    let key = match error {
        Error::SerdeUnknownField { field, .. } => Some(KeyFault::Unknown(field.to_string())),
        Error::SerdeMissingField { field, .. } => Some(KeyFault::Missing(field.to_string())),
        _ => None,
    };
    let message = sentence(error, mistakes::rest_of_line_at(text, &at));
    let error = FormatError::new_at_line_and_column(file, at.line(), at.column(), message);
    YamlFault { error, key }
}

/// Writes a value as YAML; maps keep the order they are given in.
///
/// Every text that YAML 1.1 or 1.2 would take for something else is quoted, so that Ruby and Python
/// read back what was meant.
pub fn write_yaml<T: Serialize>(value: &T) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|error| format!("# not writable: {error}\n"))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_YAML_DEPTH,
            max_documents: 1,
            // Above all that a node file can hold which resolution lets pass; see `resolve::evaluate`.
            max_nodes: MAX_YAML_NODES,
            max_events: 2 * MAX_YAML_NODES,
            max_aliases: 1_000,
            max_total_scalar_bytes: MAX_YAML_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
        // `0755` is a file mode and `1_000` a text, as everywhere but in YAML 1.1.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Says that the file is of another format, when that explains why it could not be read.
fn wrong_format(file: &str, text: &str, wanted: &str) -> Option<FormatError> {
    #[derive(Deserialize)]
    struct Probe {
        format: Option<Spanned<String>>,
    }
    match parse_yaml::<Probe>(file, text).ok()?.format {
        None => Some(FormatError::new(
            file,
            format!("it does not say its format; its first line must be `format: {wanted}`"),
        )),
        Some(format) if format.value != wanted => {
            Some(other_format(file, format.referenced.line(), &format.value, wanted))
        }
        Some(_) => None,
    }
}

fn other_format(file: &str, line: u64, found: &str, wanted: &str) -> FormatError {
    let shown: String = found.chars().filter(|c| !c.is_control()).take(80).collect();
    let (family, version) = wanted.rsplit_once('/').unwrap_or((wanted, ""));
    let newer = match found.strip_prefix(family).and_then(|rest| rest.strip_prefix('/')) {
        Some(other) => format!(
            "it is of format version `{}`, and this program reads version {version}; {}",
            other.chars().filter(|c| !c.is_control()).take(20).collect::<String>(),
            "upgrade the older of the program and the file"
        ),
        None => format!("its format is `{shown}`; here `format: {wanted}` is needed"),
    };
    FormatError::new_at_line(file, line, newer)
}

/// One sentence about an error of the library, without any scalar of the file but keys. `rest` is what
/// stands where it was noticed.
fn sentence(error: &Error, rest: &str) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing; add it"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` is written twice; keep one", clip(key))
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key is written twice; keep one".to_owned(),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            let found = unexpected.split(['"', '`']).next().unwrap_or_default().trim();
            format!("expected {expected}, found {found}")
        }
        Error::InvalidScalar { ty, .. } if ty.starts_with(['i', 'u']) => {
            format!("expected a whole number{}", mistakes::hint_for_wrong_whole_number(rest))
        }
        Error::InvalidScalar { ty, .. } => {
            format!("expected {ty}, found {}", mistakes::describe_yaml_token_kind(rest))
        }
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false`".to_owned(),
        Error::NullIntoString { .. } => {
            "expected a text, found nothing; write the text, or `\"\"` for an empty one".to_owned()
        }
        Error::Unexpected { expected, .. } => format!(
            "expected {}, found {}",
            match *expected {
                "mapping start" => "a map (`key: value`)",
                "sequence start" => "a list (`[a, b]`)",
                "scalar" | "scalar value" => "a single value",
                "string scalar" => "a text",
                other => other,
            },
            mistakes::describe_yaml_token_kind(rest)
        ),
        Error::NonFiniteFloat { .. } => {
            "a number must be finite; put quotes around it if a text is meant".to_owned()
        }
        Error::Eof { .. } => "the file is empty or ends too early".to_owned(),
        Error::MultipleDocuments { .. } => {
            "it holds more than one YAML document; only one is read, so take `---` and what follows out"
                .to_owned()
        }
        Error::Budget { breach, .. } => budget(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "its aliases (`*name`) unfold to far too much; write the values out".to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "an alias (`*name`) has no anchor (`&name`) before it; a text starting with `*` needs quotes"
                .to_owned()
        }
        Error::AliasError { error, .. } => sentence(error, rest),
        Error::ExternalMessage { msg, .. }
            if ["nest", "depth", "recursion"].iter().any(|word| msg.contains(word)) =>
        {
            too_deep()
        }
        Error::ExternalMessage { msg, .. } => {
            let why = mistakes::guess_yaml_mistake(msg, rest).map_or_else(|| clip(msg), str::to_owned);
            format!("this is not YAML ({why}); look at this line and the one before it")
        }
        Error::Message { msg, .. } => clip(msg),
        other => clip(&other.to_string()),
    }
}

fn unknown(what: &str, found: &str, expected: &[&'static str]) -> String {
    let found = clip(found);
    match suggest_spelling(&found, expected.iter().copied()) {
        Some(near) => format!("unknown {what} `{found}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{found}`; known here: {}", expected.join(", ")),
    }
}

fn budget(breach: &serde_saphyr::budget::BudgetBreach) -> String {
    use serde_saphyr::budget::BudgetBreach as B;
    match breach {
        B::Depth { .. } => too_deep(),
        B::Aliases { .. } | B::Anchors { .. } | B::AliasAnchorRatio { .. } => {
            "it has far too many aliases (`*name`); write the values out".to_owned()
        }
        B::RecordedAnchorEvents { .. } => {
            "its anchors (`&name`) hold far too much; write the values out".to_owned()
        }
        B::Documents { .. } => "it holds more than one YAML document; only one is read".to_owned(),
        _ => "it holds far more than people write; is this the right file?".to_owned(),
    }
}

fn too_deep() -> String {
    format!("lists and maps are nested more than {MAX_YAML_DEPTH} deep; is this the right file?")
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    if clipped.len() < text.len() && text.chars().count() > 300 {
        clipped.push('…');
    }
    clipped
}
