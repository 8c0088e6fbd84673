//! The server file: `servers/NAME.yaml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    place_settings::{
        PlaceSettingsInYaml, RemovalInYaml, ValuesByComponent, VersionRangesByComponent,
        find_name_listed_twice, place_settings_from_yaml_keys, place_settings_to_yaml_keys,
    },
    yaml::{self, DocumentWithFaults, FormatError, VersionedYamlFormat},
};
use crate::{
    estate::Server,
    name::{MacAddress, Name},
};

/// One host.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Server", title = "Geppetto server")]
pub(super) struct ServerFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/server/2"))]
    format: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    /// The environment it is in.
    environment: Name,
    /// The groups it is in, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Name>,
    /// The roles it has, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Name>,
    /// Its IP addresses, the one that others reach it by first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    addresses: Vec<IpAddr>,
    /// The MAC addresses of its network interfaces, in lower case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    macs: BTreeSet<MacAddress>,
    /// What else is known of it (`rack: a7`); given to whoever selects it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
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

impl VersionedYamlFormat for ServerFile {
    const FORMAT: &'static str = "geppetto/server/2";
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] = &[
        "format",
        "description",
        "environment",
        "groups",
        "roles",
        "addresses",
        "macs",
        "labels",
        "components",
        "versions",
        "remove",
    ];
    const PLACEHOLDERS_OF_REQUIRED_KEYS: &'static [(&'static str, &'static str)] =
        &[("environment", "placeholder")];
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a server file and reports all its faults; `file` is its name in errors.
pub fn parse_server_yaml(file: &str, text: &str) -> Result<Server, Vec<FormatError>> {
    let DocumentWithFaults { document, mut errors, .. } =
        yaml::parse_versioned_yaml_with_all_faults(file, text);
    let Some(document): Option<ServerFile> = document else { return Err(errors) };
    errors.extend(find_name_listed_twice(file, "groups", &document.groups));
    errors.extend(find_name_listed_twice(file, "roles", &document.roles));
    if let Some((at, twice)) = document
        .addresses
        .iter()
        .enumerate()
        .find(|(at, address)| document.addresses[..*at].contains(address))
    {
        let message = format!("`addresses` lists `{twice}` twice (item {}); keep one", at + 1);
        errors.push(FormatError::new(file, message));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Server {
        description: document.description,
        environment: document.environment,
        groups: document.groups,
        roles: document.roles,
        addresses: document.addresses,
        macs: document.macs,
        labels: document.labels,
        settings: place_settings_from_yaml_keys(PlaceSettingsInYaml {
            components: document.components,
            versions: document.versions,
            values: document.values,
            remove: document.remove,
        }),
    })
}

/// Returns the text of a server file, the same text for the same server.
pub fn server_to_yaml(server: &Server) -> String {
    let PlaceSettingsInYaml { components, versions, values, remove } =
        place_settings_to_yaml_keys(&server.settings);
    yaml::to_yaml_text(&ServerFile {
        format: ServerFile::FORMAT.to_owned(),
        description: server.description.clone(),
        environment: server.environment.clone(),
        groups: server.groups.clone(),
        roles: server.roles.clone(),
        addresses: server.addresses.clone(),
        macs: server.macs.clone(),
        labels: server.labels.clone(),
        components,
        versions,
        values,
        remove,
    })
}
