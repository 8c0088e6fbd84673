//! The environment file: `environments/NAME.yaml`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    place_settings::{
        PlaceSettingsInYaml, RemovalInYaml, ValuesByComponent, VersionRangesByComponent,
        place_settings_from_yaml_keys, place_settings_to_yaml_keys,
    },
    yaml::{self, DocumentWithFaults, FormatError, VersionedYamlFormat},
};
use crate::{estate::Environment, name::Name};

/// Where servers run, and the channel they install from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Environment", title = "Geppetto environment")]
pub(super) struct EnvironmentFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/environment/1"))]
    format: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// The channel of the repository its servers install from.
    channel: Name,
    /// The environments whose servers may select servers of this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    readable_from: BTreeSet<Name>,
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

impl VersionedYamlFormat for EnvironmentFile {
    const FORMAT: &'static str = "geppetto/environment/1";
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] =
        &["format", "description", "channel", "readable_from", "components", "versions", "remove"];
    const PLACEHOLDERS_OF_REQUIRED_KEYS: &'static [(&'static str, &'static str)] =
        &[("channel", "placeholder")];
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads an environment file and reports all its faults; `file` is its name in errors.
pub fn parse_environment_yaml(file: &str, text: &str) -> Result<Environment, Vec<FormatError>> {
    let DocumentWithFaults { document, errors, .. } = yaml::parse_versioned_yaml_with_all_faults(file, text);
    let Some(document): Option<EnvironmentFile> = document else { return Err(errors) };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Environment {
        description: document.description,
        channel: document.channel,
        readable_from: document.readable_from,
        settings: place_settings_from_yaml_keys(PlaceSettingsInYaml {
            components: document.components,
            versions: document.versions,
            values: document.values,
            remove: document.remove,
        }),
    })
}

/// Returns the text of an environment file, the same text for the same environment.
pub fn environment_to_yaml(environment: &Environment) -> String {
    let PlaceSettingsInYaml { components, versions, values, remove } =
        place_settings_to_yaml_keys(&environment.settings);
    yaml::to_yaml_text(&EnvironmentFile {
        format: EnvironmentFile::FORMAT.to_owned(),
        description: environment.description.clone(),
        channel: environment.channel.clone(),
        readable_from: environment.readable_from.clone(),
        components,
        versions,
        values,
        remove,
    })
}
