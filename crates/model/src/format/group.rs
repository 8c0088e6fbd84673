//! The group file: `groups/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    place_settings::{
        PlaceSettingsInYaml, RemovalInYaml, ValuesByComponent, VersionRangesByComponent,
        place_settings_from_yaml_keys, place_settings_to_yaml_keys,
    },
    yaml::{self, DocumentWithFaults, FormatError, VersionedYamlFormat},
};
use crate::estate::Group;

/// A set of servers that share components and values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Group", title = "Geppetto group")]
pub(super) struct GroupFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/group/1"))]
    format: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// Required components, each with its version range: `1.2.0`, `>=1.2, <2`, `^1.2`, `~1.2` or `*`.
    #[serde(default, skip_serializing_if = "VersionRangesByComponent::is_empty")]
    components: VersionRangesByComponent,
    /// Constraints on the versions of components, which these do not require: nothing is installed for them.
    #[serde(default, skip_serializing_if = "VersionRangesByComponent::is_empty")]
    versions: VersionRangesByComponent,
    /// Values, by component and parameter. `${component.parameter}`, `${server.name}` and
    /// `${server.environment}` are replaced; `$${` stands for `${` itself.
    #[serde(default, skip_serializing_if = "ValuesByComponent::is_empty")]
    values: ValuesByComponent,
    /// Inherited things to take away: `component`, `component.parameter` or `component.parameter.entry`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<RemovalInYaml>,
}

impl VersionedYamlFormat for GroupFile {
    const FORMAT: &'static str = "geppetto/group/1";
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] =
        &["format", "description", "components", "versions", "remove"];
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a group file and reports all its faults; `file` is its name in errors.
pub fn parse_group_yaml(file: &str, text: &str) -> Result<Group, Vec<FormatError>> {
    let DocumentWithFaults { document, errors, .. } = yaml::parse_versioned_yaml_with_all_faults(file, text);
    let Some(document): Option<GroupFile> = document else { return Err(errors) };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Group {
        description: document.description,
        settings: place_settings_from_yaml_keys(PlaceSettingsInYaml {
            components: document.components,
            versions: document.versions,
            values: document.values,
            remove: document.remove,
        }),
    })
}

/// Returns the text of a group file, the same text for the same group.
pub fn group_to_yaml(group: &Group) -> String {
    let PlaceSettingsInYaml { components, versions, values, remove } =
        place_settings_to_yaml_keys(&group.settings);
    yaml::to_yaml_text(&GroupFile {
        format: GroupFile::FORMAT.to_owned(),
        description: group.description.clone(),
        components,
        versions,
        values,
        remove,
    })
}
