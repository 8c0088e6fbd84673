//! YAML, read strictly and with a bound on its work; the only place that knows the YAML library.
//!
//! Error texts repeat a scalar of the file only under a key where its format says that no secret stands.

mod all_faults;
mod left_out_entry;
mod mistakes;
mod wrong_value;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location};

use left_out_entry::EntryOfPlace;

pub use all_faults::{DocumentWithFaults, parse_versioned_yaml_with_all_faults};
/// A value and the line it is on.
pub use serde_saphyr::Spanned;

use crate::{
    fault::{Fault, without_control_characters},
    suggest_spelling,
};

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
    /// An error that is about `file` as a whole. Control characters are left out of both.
    pub fn new(file: &str, message: impl Into<String>) -> Self {
        let (file, message) =
            (without_control_characters(file.to_owned()), without_control_characters(message.into()));
        Self { file, line: None, column: None, message }
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
    /// The keys under which no secret stands, so that an error shows a value of the wrong type: keys of the outermost map
    /// (`launch`), or of a map somewhere inside it (`parameters.max`).
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] = &[];
    /// The required keys of the outermost map, each with a value that stands for one that is missing or wrong, so that the
    /// faults of the others are found.
    const PLACEHOLDERS_OF_REQUIRED_KEYS: &'static [(&'static str, &'static str)] = &[];
    /// The value of `format:`.
    fn format(&self) -> &str;
}

/// The largest text read, in bytes: far above any file people write.
pub const MAX_YAML_BYTES: usize = 8 * 1024 * 1024;

/// So many texts, numbers, lists, maps and keys are read.
pub const MAX_YAML_NODES: usize = 500_000;

/// Collections nested deeper than this are refused.
pub const MAX_YAML_DEPTH: usize = 64;

/// Reads one document that names its format.
pub fn parse_versioned_yaml<T: VersionedYamlFormat>(file: &str, text: &str) -> Result<T, FormatError> {
    match parse_yaml_or_fault::<T>(file, text, T::KEYS_WITHOUT_SECRETS) {
        Ok(document) if document.format() == T::FORMAT => Ok(document),
        Ok(document) => Err(other_format(file, 1, document.format(), T::FORMAT)),
        Err(fault) => Err(wrong_format(file, text, T::FORMAT).unwrap_or(fault.error)),
    }
}

/// Reads one YAML document; `file` is its name in errors. A byte order mark before it is skipped.
pub fn parse_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FormatError> {
    parse_yaml_or_fault(file, text, &[]).map_err(|fault| fault.error)
}

/// Why a document could not be read.
struct YamlFault {
    error: FormatError,
    /// The key it is about, if that is why.
    key: Option<KeyFault>,
    /// Which entry is wrong; `None` if not one entry is, but the text.
    entry: Option<EntryOfPlace>,
}

/// What is wrong with a key.
enum KeyFault {
    /// It is not one of the format's.
    Unknown,
    /// It is not there.
    Missing(String),
}

impl From<FormatError> for YamlFault {
    fn from(error: FormatError) -> Self {
        Self { error, key: None, entry: None }
    }
}

fn parse_yaml_or_fault<T: DeserializeOwned>(
    file: &str,
    text: &str,
    shown_keys: &[&str],
) -> Result<T, YamlFault> {
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
        let fault = describe_yaml_error(file, text, &error, shown_keys);
        // A wrong key ends reading before a syntax error that follows it, which may be the reason why it is wrong.
        fault.key.as_ref().and_then(|_| find_syntax_error(file, text, shown_keys)).unwrap_or(fault)
    })
}

/// The error of a text that is not YAML, whatever its keys are.
fn find_syntax_error(file: &str, text: &str, shown_keys: &[&str]) -> Option<YamlFault> {
    // A key that is written twice is no syntax error, and comes before one.
    let mut options = options();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    match serde_saphyr::from_str_with_options::<IgnoredAny>(text, options) {
        Err(error) if matches!(error.without_snippet(), Error::ExternalMessage { .. }) => {
            Some(describe_yaml_error(file, text, &error, shown_keys))
        }
        _ => None,
    }
}

fn describe_yaml_error(file: &str, text: &str, error: &Error, shown_keys: &[&str]) -> YamlFault {
    let error = error.without_snippet();
    let Some(at) = error.location().filter(|location| *location != Location::UNKNOWN) else {
        return FormatError::new(file, sentence(error, "", "something else")).into();
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
        Error::SerdeUnknownField { .. } => Some(KeyFault::Unknown),
        Error::SerdeMissingField { field, .. } => Some(KeyFault::Missing(field.to_string())),
        _ => None,
    };
    let of_key = match error {
        // These are noticed at the key.
        Error::SerdeInvalidType { .. } | Error::SerdeInvalidValue { .. } => {
            wrong_value::describe_value_if_not_secret(text, &at, shown_keys)
        }
        _ => None,
    };
    let found = of_key.unwrap_or_else(|| wrong_value::describe_value_at(text, &at, shown_keys));
    let message = sentence(error, mistakes::rest_of_line_at(text, &at), &found);
    let entry = match error {
        Error::Unexpected { .. } => Some(EntryOfPlace::WithValueAt),
        Error::SerdeMissingField { .. } => Some(EntryOfPlace::WithMapOfKeyAt),
        Error::SerdeUnknownField { .. }
        | Error::SerdeUnknownVariant { .. }
        | Error::SerdeInvalidType { .. }
        | Error::SerdeInvalidValue { .. }
        | Error::InvalidScalar { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::NullIntoString { .. }
        | Error::NonFiniteFloat { .. }
        | Error::DuplicateMappingKey { .. }
        | Error::Message { .. } => Some(EntryOfPlace::Innermost),
        _ => None,
    };
    let error = FormatError::new_at_line_and_column(file, at.line(), at.column(), message);
    YamlFault { error, key, entry }
}

/// Returns a value as YAML; maps keep the order they are given in.
///
/// Every text that YAML 1.1 or 1.2 would take for something else is quoted, so that Ruby and Python
/// read back what was meant.
pub fn to_yaml_text<T: Serialize>(value: &T) -> String {
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

/// One sentence about an error of the library, without any scalar of the file but keys and what is in `found`. `rest` is what
/// stands where it was noticed, and `found` describes it.
fn sentence(error: &Error, rest: &str, found: &str) -> String {
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
            let kind = unexpected.split(['"', '`']).next().unwrap_or_default().trim();
            format!("expected {expected}, found {}", if is_shown(found) { found } else { kind })
        }
        Error::InvalidScalar { ty, .. } if ty.starts_with(['i', 'u']) => {
            let hint = mistakes::hint_for_wrong_whole_number(rest);
            match hint.is_empty() && is_shown(found) {
                true => format!("expected a whole number, found {found}"),
                false => format!("expected a whole number{hint}"),
            }
        }
        Error::InvalidScalar { ty, .. } => {
            format!("expected {ty}, found {found}")
        }
        Error::InvalidBooleanStrict { .. } if is_shown(found) => {
            format!("expected `true` or `false`, found {found}")
        }
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false`".to_owned(),
        Error::NullIntoString { .. } => {
            "expected a text, found nothing; write the text, or `\"\"` for an empty one".to_owned()
        }
        Error::Unexpected { expected, .. } => format!(
            "expected {}, found {found}",
            match *expected {
                "mapping start" => "a map (`key: value`)",
                "sequence start" => "a list (`[a, b]`)",
                "scalar" | "scalar value" => "a single value",
                "string scalar" => "a text",
                other => other,
            }
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
        Error::AliasError { error, .. } => sentence(error, rest, found),
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

/// Whether a description from [`wrong_value`] shows the value.
fn is_shown(found: &str) -> bool {
    found.starts_with("the ") || found.starts_with('`')
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
