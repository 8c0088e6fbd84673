//! Components: the description inside a deployment package (`component.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    name::{Key, Name},
    parameter::Parameter,
    version::{Version, VersionRange},
};

/// What no package may install, whatever it declares: these files say who is root and what every program loads.
pub const PATHS_FORBIDDEN_TO_PACKAGES: [&str; 7] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ld.so.preload",
    "/etc/ld.so.conf",
];

/// Why one of [`PATHS_FORBIDDEN_TO_PACKAGES`] is refused, and what to do instead.
pub const REASON_OF_FORBIDDEN_PATH: &str = "no package may install it: it says who is root, or what every program loads; \
    describe accounts by `user:` and `group:`, and other files by `file:`";

/// The kinds of component; each has an archetype.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// Served by a servlet container.
    Webapp,
    /// A daemon answering HTTP by itself.
    WebService,
    /// A program run on a schedule.
    Processing,
    /// A database schema and its migrations.
    DbSchema,
    /// A check that keeps to the Monitoring Plugins guidelines.
    MonitoringPlugin,
    /// Configuration of the operating system.
    OsConfig,
}

impl ComponentKind {
    /// As it is written: `web-service`.
    pub fn as_str(self) -> &'static str {
        match self {
            ComponentKind::Webapp => "webapp",
            ComponentKind::WebService => "web-service",
            ComponentKind::Processing => "processing",
            ComponentKind::DbSchema => "db-schema",
            ComponentKind::MonitoringPlugin => "monitoring-plugin",
            ComponentKind::OsConfig => "os-config",
        }
    }
}

/// One version of a component, as everything after packaging knows it.
///
/// Serialised as `component.json` in the deployment package, under
/// `/usr/share/geppetto/components/NAME/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name, which is also its payload package's name.
    pub name: Name,
    /// Its version, release included (`1.2.0-1`).
    pub version: Version,
    /// What kind of component it is.
    pub kind: ComponentKind,
    /// One line about it.
    pub summary: String,
    /// Other components it needs on the same host, and in which versions.
    #[serde(default)]
    pub requires: BTreeMap<Name, VersionRange>,
    /// Packages of the operating system it needs.
    #[serde(default)]
    pub os_packages: OsPackageRequirements,
    /// The parameters it declares.
    #[serde(default)]
    pub parameters: BTreeMap<Key, Parameter>,
    /// Files and folders of the host that its payload may replace: paths, with everything below them, and patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Paths of its payload whose mode may set the set-user-ID or set-group-ID bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setuid: Vec<String>,
}

/// Operating system packages, by package format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OsRequirements")]
pub struct OsPackageRequirements {
    /// Names of packages on RPM hosts (Red Hat, Fedora, SUSE).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpm: Vec<String>,
    /// Names of packages on Debian and its kin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deb: Vec<String>,
}

/// The folder of a component's deployment package on a host, relative to its root.
pub const INSTALLED_COMPONENTS_FOLDER: &str = "usr/share/geppetto/components";

/// The file there that describes the component.
pub const COMPONENT_JSON_FILE_NAME: &str = "component.json";

impl Component {
    /// The name of the package that holds what runs.
    pub fn payload_package_name(&self) -> &str {
        self.name.as_str()
    }

    /// The name of the package that holds how it is deployed.
    pub fn deployment_package_name(&self) -> String {
        deployment_package_name(&self.name)
    }
}

/// What the name of a deployment package ends with.
const DEPLOYMENT: &str = "-deployment";

/// The name of the deployment package of the component `name`.
pub fn deployment_package_name(name: &Name) -> String {
    format!("{name}{DEPLOYMENT}")
}

/// Why no component can have this name, though it is a name.
pub fn reserved_component_name_problem(name: &Name) -> Option<String> {
    if name.as_str() == "server" {
        return Some(
            "a component cannot be called `server`: `${server.name}` means the host everywhere; choose another name"
                .to_owned(),
        );
    }
    name.as_str().strip_suffix(DEPLOYMENT).map(|other| {
        format!(
            "a component cannot be called `{name}`: that is the deployment package of a component `{other}`; choose another name"
        )
    })
}
