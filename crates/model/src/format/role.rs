//! The role file: `roles/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    place_settings::{
        PlaceSettingsInYaml, RemovalInYaml, ValuesByComponent, VersionRangesByComponent,
        find_name_listed_twice, place_settings_from_yaml_keys, place_settings_to_yaml_keys,
    },
    yaml::{self, DocumentWithFaults, FormatError, VersionedYamlFormat},
};
use crate::{estate::Role, name::Name};

/// A named bundle of components and values, which other roles can inherit.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Role", title = "Geppetto role")]
pub(super) struct RoleFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/role/1"))]
    format: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// Roles it inherits, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inherits: Vec<Name>,
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

impl VersionedYamlFormat for RoleFile {
    const FORMAT: &'static str = "geppetto/role/1";
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] =
        &["format", "description", "inherits", "components", "versions", "remove"];
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a role file and reports all its faults; `file` is its name in errors.
pub fn parse_role_yaml(file: &str, text: &str) -> Result<Role, Vec<FormatError>> {
    let DocumentWithFaults { document, mut errors, .. } =
        yaml::parse_versioned_yaml_with_all_faults(file, text);
    let Some(document): Option<RoleFile> = document else { return Err(errors) };
    errors.extend(find_name_listed_twice(file, "inherits", &document.inherits));
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Role {
        description: document.description,
        inherits: document.inherits,
        settings: place_settings_from_yaml_keys(PlaceSettingsInYaml {
            components: document.components,
            versions: document.versions,
            values: document.values,
            remove: document.remove,
        }),
    })
}

/// Returns the text of a role file, the same text for the same role.
pub fn role_to_yaml(role: &Role) -> String {
    let PlaceSettingsInYaml { components, versions, values, remove } =
        place_settings_to_yaml_keys(&role.settings);
    yaml::to_yaml_text(&RoleFile {
        format: RoleFile::FORMAT.to_owned(),
        description: role.description.clone(),
        inherits: role.inherits.clone(),
        components,
        versions,
        values,
        remove,
    })
}
