//! Observations of a host. A failed observation is a value of its own, never "already right".

mod payload_drift;
mod request;
mod resource_property;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    component::Component,
    name::Name,
    resource::{Ownership, ResourceId},
    version::Version,
};

pub use payload_drift::{PathDrift, PayloadDrift, payload_drift_lines};
pub use request::{ObservationRequest, node_and_managed_package_names};
pub use resource_property::{
    FileDigestAndText, FileType, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
    RunReasonDespiteGuard, sha256_hex,
};

/// The observation of one thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation<T> {
    /// It is not there.
    Absent,
    /// It is there, like this.
    Present(T),
    /// The observation failed, for this reason.
    Unreadable(String),
    /// It cannot be changed safely, as this sentence says: a user of the host can change what is found there, or it
    /// would take something from another account. Only the components that describe it are blocked.
    Unsafe(String),
}

impl<T> Observation<T> {
    /// The same observation, with what is there seen in another way.
    pub fn map_present<U>(self, map: impl FnOnce(T) -> U) -> Observation<U> {
        match self {
            Observation::Absent => Observation::Absent,
            Observation::Present(seen) => Observation::Present(map(seen)),
            Observation::Unreadable(because) => Observation::Unreadable(because),
            Observation::Unsafe(because) => Observation::Unsafe(because),
        }
    }
}

/// The families of distributions, by how they package software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Debian and its kin: dpkg, apt.
    Deb,
    /// Red Hat, Fedora, SUSE and their kin: rpm, dnf.
    Rpm,
}

impl fmt::Display for OsFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OsFamily::Deb => "deb",
            OsFamily::Rpm => "rpm",
        })
    }
}

/// Everything observed on a host that a plan needs.
#[derive(Debug, Clone, Default)]
pub struct ObservedHost {
    /// Our packages (payload and deployment) by package name: versions installed.
    pub packages: BTreeMap<String, Observation<Version>>,
    /// What of installed packages, which have the wanted version, is not as the package brought it.
    pub payload_drift: BTreeMap<String, PayloadDrift>,
    /// What nobody describes and yet changes the units of components, a sentence each.
    pub unit_overrides: Vec<String>,
    /// Resources by id.
    pub resources: BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>>,
    /// What the installed deployments say of their components where another version is wanted, or none.
    pub installed: BTreeMap<Name, Component>,
    /// What punch itself installed or made in earlier runs.
    pub managed: ManagedState,
    /// The family of the distribution; none in a bare folder.
    pub family: Option<OsFamily>,
    /// Whether systemd runs there: without it units are enabled, but not started.
    pub booted: bool,
    /// Whether programs can be run there: not in a bare folder.
    pub runs_commands: bool,
    /// Whether punch can give everything to everybody there: it runs as root.
    pub acts_as_root: bool,
    /// Whether an ordinary user tries a deployment below a folder: everything there is that user's.
    pub cannot_give_files_to_any_user: bool,
}

/// What punch itself installed or made in earlier runs: the only things it removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedState {
    /// Packages, by name; whose component they are.
    #[serde(default)]
    pub packages: BTreeMap<String, Name>,
    /// Resources, in the order they were applied.
    #[serde(default)]
    pub resources: Vec<ResourceCreatedByPunch>,
    /// What files and directories were that punch did not make and gave another owner, group or mode.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ownership_before: BTreeMap<ResourceId, OwnershipBeforePunch>,
    /// Services and commands that were notified but not yet restarted or run when a run ended early.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<ResourceId>,
}

/// Owner, group and mode of a file or directory before punch changed them first; nothing for what punch left as it was.
/// They come back when they are no longer stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipBeforePunch {
    /// The component that stated others first.
    pub component: Name,
    /// User name, or number of one without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Group name, or number of one without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

impl OwnershipBeforePunch {
    /// The same as a wanted ownership.
    pub fn to_ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), mode: self.mode }
    }
}

/// A resource that was not there before punch made it (a service: neither enabled nor running), which is
/// why punch removes it when it is no longer wanted. A file that was there keeps its last content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceCreatedByPunch {
    /// Which.
    pub id: ResourceId,
    /// Whose component it is.
    pub component: Name,
    /// Services and commands notified when it is removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<ResourceId>,
}
