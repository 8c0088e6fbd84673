//! The settings part of a place's file: components, versions, values, removals. Shared by the four formats.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    dotted_path::{join_with_escaped_dots, split_unescaped_dots},
    yaml::FormatError,
};
use crate::{
    estate::{
        InheritanceRemoval, PlaceSettings, RemovedInheritedItem, ValueWithRevisionAndAuthor,
        VersionRangeWithRevisionAndAuthor,
    },
    name::{Key, Name},
    value::Value,
    version::VersionRange,
};

/// `components:` or `versions:` of a file.
pub(super) type VersionRangesByComponent = BTreeMap<Name, VersionRange>;

/// `values:` of a file.
pub(super) type ValuesByComponent = BTreeMap<Name, BTreeMap<Key, Value>>;

/// The four keys of a place's file that hold its settings.
pub(super) struct PlaceSettingsInYaml {
    pub(super) components: VersionRangesByComponent,
    pub(super) versions: VersionRangesByComponent,
    pub(super) values: ValuesByComponent,
    pub(super) remove: Vec<RemovalInYaml>,
}

/// Builds the settings from the four keys of a file.
pub(super) fn place_settings_from_yaml_keys(parts: PlaceSettingsInYaml) -> PlaceSettings {
    let requirements = |ranges: VersionRangesByComponent| {
        ranges
            .into_iter()
            .map(|(name, range)| (name, VersionRangeWithRevisionAndAuthor { range, origin: None }))
            .collect()
    };
    let assignments = |values: BTreeMap<Key, Value>| {
        let assignment = |value| ValueWithRevisionAndAuthor { value: Arc::new(value), origin: None };
        values.into_iter().map(|(key, value)| (key, assignment(value))).collect()
    };
    let removals = parts.remove.into_iter();
    PlaceSettings {
        components: requirements(parts.components),
        versions: requirements(parts.versions),
        values: parts.values.into_iter().map(|(name, values)| (name, assignments(values))).collect(),
        remove: removals.map(|text| InheritanceRemoval { what: text.0, origin: None }).collect(),
    }
}

/// Splits settings into the four keys of a file.
pub(super) fn place_settings_to_yaml_keys(settings: &PlaceSettings) -> PlaceSettingsInYaml {
    let ranges = |requirements: &BTreeMap<Name, VersionRangeWithRevisionAndAuthor>| {
        let ranges = requirements.iter().map(|(name, requirement)| (name.clone(), requirement.range.clone()));
        ranges.collect()
    };
    let values = |assignments: &BTreeMap<Key, ValueWithRevisionAndAuthor>| {
        let values =
            assignments.iter().map(|(key, assignment)| (key.clone(), Value::clone(&assignment.value)));
        values.collect()
    };
    PlaceSettingsInYaml {
        components: ranges(&settings.components),
        versions: ranges(&settings.versions),
        values: settings.values.iter().map(|(name, of_name)| (name.clone(), values(of_name))).collect(),
        remove: settings.remove.iter().map(|removed| RemovalInYaml(removed.what.clone())).collect(),
    }
}

/// The error of a name that is listed twice, because its position would be ambiguous.
pub(super) fn find_name_listed_twice(file: &str, key: &str, names: &[Name]) -> Option<FormatError> {
    let (_, twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))?;
    Some(FormatError::new(file, format!("`{key}` lists `{twice}` twice; keep the place you mean")))
}

/// A removal as people write it: `shop`, `shop.banner`, `shop.labels.team`.
///
/// A dot inside a key of a map is written `\.`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct RemovalInYaml(pub(super) RemovedInheritedItem);

impl TryFrom<String> for RemovalInYaml {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |reason: &str| {
            format!("{reason}; write `component`, `component.parameter` or `component.parameter.entry`")
        };
        let mut parts = split_unescaped_dots(&text).into_iter();
        let name = Name::new(&parts.next().unwrap_or_default()).map_err(|error| wrong(&error.to_string()))?;
        let Some(key) = parts.next() else { return Ok(Self(RemovedInheritedItem::Component(name))) };
        let key = Key::new(&key).map_err(|error| wrong(&error.to_string()))?;
        let path: Vec<String> = parts.collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong("an entry between dots is empty"));
        }
        Ok(Self(match path.is_empty() {
            true => RemovedInheritedItem::Value(name, key),
            false => RemovedInheritedItem::Entry(name, key, path),
        }))
    }
}

impl From<RemovalInYaml> for String {
    fn from(text: RemovalInYaml) -> String {
        text.0.to_string()
    }
}

impl std::fmt::Display for RemovedInheritedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RemovedInheritedItem::Component(name) => write!(f, "{name}"),
            RemovedInheritedItem::Value(name, key) => write!(f, "{name}.{key}"),
            RemovedInheritedItem::Entry(name, key, path) => {
                write!(f, "{name}.{key}.{}", join_with_escaped_dots(path))
            }
        }
    }
}

impl JsonSchema for RemovalInYaml {
    fn schema_name() -> Cow<'static, str> {
        "Removal".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Something inherited to take away: `component`, `component.parameter` or `component.parameter.entry`.",
            "pattern": r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9_]*(\..+)?)?$",
        })
    }
}
