//! Faults of what people write: typed until a terminal, a JSON answer or a form prints them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    estate::PlaceId,
    name::{Key, Name},
};

/// How severe a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Must be corrected: nothing is saved or packaged before.
    Error,
    /// May be intended.
    Warning,
}

/// One fault of a file, a form or a request, and where to correct it. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    /// How severe it is.
    pub severity: Severity,
    /// The role, group, environment or server to correct: `role web`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_place_as_text",
        deserialize_with = "parse_place_from_text"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub place: Option<PlaceId>,
    /// The component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub component: Option<Name>,
    /// The parameter it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub key: Option<Key>,
    /// The file, as the user knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column in the line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// What to do next, when the message does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Fault {
    /// An error with this message and nothing else. Control characters are left out of it.
    pub fn new_error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: None,
            component: None,
            key: None,
            file: None,
            line: None,
            column: None,
            message: without_control_characters(message.into()),
            hint: None,
        }
    }

    /// Where it is, as editors and terminals write it: `roles/web.yaml:7:5`; `None` without a file.
    pub fn file_and_position_text(&self) -> Option<String> {
        let mut text = self.file.clone()?;
        if let Some(line) = self.line {
            text.push_str(&format!(":{line}"));
            if let Some(column) = self.column {
                text.push_str(&format!(":{column}"));
            }
        }
        Some(text)
    }
}

/// `roles/web.yaml:7:5: role web: there is no role ...; did you mean ...?`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = self.file_and_position_text() {
            write!(f, "{location}: ")?;
        }
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// A text for a message, without what could move a terminal's cursor or change its state: what is quoted in messages is
/// often somebody else's. Ends of lines and tabulators stay.
pub fn without_control_characters(mut text: String) -> String {
    text.retain(|c| !c.is_control() || c == '\n' || c == '\t');
    text
}

/// Several faults as an indented list, one a line.
pub fn format_fault_list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {}", fault.to_string().replace('\n', "\n  "))).collect()
}

fn serialize_place_as_text<S: Serializer>(place: &Option<PlaceId>, serializer: S) -> Result<S::Ok, S::Error> {
    place.as_ref().map(PlaceId::to_string).serialize(serializer)
}

fn parse_place_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PlaceId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_left_out_of_messages() {
        assert_eq!(Fault::new_error("a\u{1b}[2Jb\u{7f}\u{9b}c\n\td").message, "a[2Jbc\n\td");
        let error = crate::format::FormatError::new("a\u{1b}.xml", "expected '>' not '\u{1}'");
        assert_eq!(error.to_string(), "a.xml: expected '>' not ''");
    }

    #[test]
    fn fault_read_from_its_json_is_equal_and_prints_location_place_message_and_hint() {
        let fault = Fault {
            place: Some(PlaceId::Role(Name::new("web").unwrap())),
            component: Some(Name::new("shop").unwrap()),
            key: Some(Key::new("http_port").unwrap()),
            file: Some("roles/web.yaml".to_owned()),
            line: Some(7),
            column: Some(5),
            hint: Some("did you mean `http_port`?".to_owned()),
            ..Fault::new_error("unknown key `htpp_port`")
        };
        assert_eq!(
            fault.to_string(),
            "roles/web.yaml:7:5: role web: unknown key `htpp_port`; did you mean `http_port`?"
        );
        let json = serde_json::to_string(&fault).unwrap();
        assert!(json.contains(r#""place":"role web""#), "{json}");
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
        assert!(
            serde_json::from_str::<Fault>(r#"{"severity": "error", "place": "moon", "message": "x"}"#)
                .is_err()
        );
    }
}
