//! The estate: everything the back-office knows about what should run where, in one revision.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    name::{Key, MacAddress, Name, ServerName},
    value::Value,
    version::VersionRange,
};

/// All roles, groups, environments and servers of a revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estate {
    /// Roles say what runs.
    pub roles: BTreeMap<Name, Role>,
    /// Groups are sets of servers.
    pub groups: BTreeMap<Name, Group>,
    /// Environments say where it runs.
    pub environments: BTreeMap<Name, Environment>,
    /// The servers themselves.
    pub servers: BTreeMap<ServerName, Server>,
}

/// The settings of a place: required components, values, and removals of inherited things.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlaceSettings {
    /// Required components with their version ranges.
    pub components: BTreeMap<Name, VersionRangeWithRevisionAndAuthor>,
    /// Constraints on the versions of components that some place or component requires.
    pub versions: BTreeMap<Name, VersionRangeWithRevisionAndAuthor>,
    /// Values, by component and parameter.
    pub values: BTreeMap<Name, BTreeMap<Key, ValueWithRevisionAndAuthor>>,
    /// Inherited things removed here; weaker places have no effect on them.
    pub remove: Vec<InheritanceRemoval>,
}

/// The version range of a required or constrained component, and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRangeWithRevisionAndAuthor {
    /// The version range.
    pub range: VersionRange,
    /// The revision that added it, if it comes from a stored revision.
    pub origin: Option<RevisionAndAuthor>,
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueWithRevisionAndAuthor {
    /// The value as written; references are still in it.
    pub value: Arc<Value>,
    /// The revision that set it, if it comes from a stored revision.
    pub origin: Option<RevisionAndAuthor>,
}

/// A removal and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct InheritanceRemoval {
    /// What is removed.
    pub what: RemovedInheritedItem,
    /// The revision that added it, if it comes from a stored revision.
    pub origin: Option<RevisionAndAuthor>,
}

/// The revision and author of a stored requirement, value or removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionAndAuthor {
    /// The revision that brought it.
    pub revision: u64,
    /// Who committed that revision.
    pub by: String,
}

/// Something inherited that a place removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemovedInheritedItem {
    /// `shop`: the component does not run here.
    Component(Name),
    /// `shop.banner`: weaker places' values do not count.
    Value(Name, Key),
    /// `shop.labels.team`: weaker places' entry of a map does not count.
    Entry(Name, Key, Vec<String>),
}

/// A named bundle of component versions and values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Role {
    /// What it is for.
    pub description: String,
    /// The roles it inherits, strongest first.
    pub inherits: Vec<Name>,
    /// What it requires, sets and removes.
    pub settings: PlaceSettings,
}

/// A set of servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// What it is for.
    pub description: String,
    /// What it requires, sets and removes.
    pub settings: PlaceSettings,
}

/// Where servers run.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// What it is for.
    pub description: String,
    /// The channel its servers install from.
    pub channel: Name,
    /// The environments whose servers may select servers of this one.
    pub readable_from: BTreeSet<Name>,
    /// What it requires, sets and removes.
    pub settings: PlaceSettings,
}

/// One host.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// What it is for.
    pub description: String,
    /// The one environment it is in.
    pub environment: Name,
    /// The groups it is in, strongest first.
    pub groups: Vec<Name>,
    /// The roles it has, strongest first.
    pub roles: Vec<Name>,
    /// Its addresses, the one others reach it by first.
    pub addresses: Vec<IpAddr>,
    /// The MAC addresses of its network interfaces.
    pub macs: BTreeSet<MacAddress>,
    /// What else is known of it: rack, owner, ...
    pub labels: BTreeMap<String, String>,
    /// The settings of this server alone.
    pub settings: PlaceSettings,
}

/// A place that can hold settings: the key of provenance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceId {
    /// The server itself.
    Server(ServerName),
    /// One of its groups.
    Group(Name),
    /// Its environment.
    Environment(Name),
    /// One of its roles, inherited ones included.
    Role(Name),
    /// The component's own default.
    Default(Name),
}

impl std::fmt::Display for PlaceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlaceId::Server(name) => write!(f, "server {name}"),
            PlaceId::Group(name) => write!(f, "group {name}"),
            PlaceId::Environment(name) => write!(f, "environment {name}"),
            PlaceId::Role(name) => write!(f, "role {name}"),
            PlaceId::Default(name) => write!(f, "default of {name}"),
        }
    }
}

impl std::str::FromStr for PlaceId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |reason: String| {
            format!(
                "{reason}; a place is `server NAME`, `group NAME`, `environment NAME`, `role NAME` or `default of NAME`"
            )
        };
        let (word, name) = text.rsplit_once(' ').unwrap_or((text, ""));
        let named = |name: &str| Name::new(name).map_err(|error| wrong(error.to_string()));
        Ok(match word {
            "server" => PlaceId::Server(ServerName::new(name).map_err(|error| wrong(error.to_string()))?),
            "group" => PlaceId::Group(named(name)?),
            "environment" => PlaceId::Environment(named(name)?),
            "role" => PlaceId::Role(named(name)?),
            "default of" => PlaceId::Default(named(name)?),
            _ => return Err(wrong("this is no place".to_owned())),
        })
    }
}
