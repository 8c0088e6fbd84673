//! The node: everything one server must be. What resolution makes and punch applies.

mod component_values;
mod digest;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    catalog::PackageFile,
    component::ComponentKind,
    estate::{PlaceId, RevisionAndAuthor},
    name::{Name, ServerName},
    value::Value,
    version::{Version, VersionRange},
};

pub use component_values::ValuesOfNodeComponent;
pub(crate) use digest::{
    CanonicalDigestPart, ComponentDigester, canonical_parameter_value, canonical_version_and_packages,
    digest_node_content_from_components,
};
pub use digest::{NodeContentDigest, digest_node_component_content, digest_node_content};

/// Everything one server must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Which server.
    pub server: ServerName,
    /// The environment it is in.
    pub environment: Name,
    /// The channel its packages come from.
    pub channel: Name,
    /// The epoch of the control plane that made it: each recovery from a backup begins a higher one. 0 before the
    /// back-office numbered it.
    pub epoch: u64,
    /// Grows by one each time the content changes; 0 before the back-office numbered it.
    pub generation: u64,
    /// The components it runs, by name. Servers that get the same component in the same way share it.
    pub components: BTreeMap<Name, Arc<NodeComponent>>,
}

/// How new a node file is. Of two, the one of the higher epoch is the newer; within an epoch, the one of the higher
/// generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochAndGeneration {
    /// [`Node::epoch`].
    pub epoch: u64,
    /// [`Node::generation`].
    pub generation: u64,
}

impl Node {
    /// How new it is.
    pub fn epoch_and_generation(&self) -> EpochAndGeneration {
        EpochAndGeneration { epoch: self.epoch, generation: self.generation }
    }
}

/// One component on a server: an exact version and final values.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeComponent {
    /// The exact version.
    pub version: Version,
    /// What kind of component it is.
    pub kind: Option<ComponentKind>,
    /// The exact payload package, when the node comes from a catalog.
    pub payload: Option<Arc<PackageFile>>,
    /// The exact deployment package, when the node comes from a catalog.
    pub deployment: Option<Arc<PackageFile>>,
    /// The requirements, constraints and removals of this component: of places, strongest first, then of components.
    pub requirements: Arc<Vec<RequirementProvenanceEntry>>,
    /// Final values, by parameter.
    pub values: ValuesOfNodeComponent,
}

/// A requirement, constraint or removal of a component by a place, or by a component that requires it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequirementProvenanceEntry {
    /// The place, or the component that requires it.
    pub place: PlaceId,
    /// What it does.
    pub what: RequirementProvenanceKind,
    /// Whether it takes part in the choice.
    pub effective: bool,
    /// The revision that brought it.
    pub origin: Option<RevisionAndAuthor>,
}

/// What a place or component does to the choice of a component and its version.
#[derive(Debug, Clone, PartialEq)]
pub enum RequirementProvenanceKind {
    /// It requires the component in these versions.
    Requires(VersionRange),
    /// It constrains the version, and does not require the component (`versions:`).
    Constrains(VersionRange),
    /// It removes the requirements of weaker places.
    Removes,
    /// It removes something that a newer version requires, so that an older one is chosen.
    Excludes {
        /// The newer version.
        version: Version,
        /// What that version requires, and the place removes.
        requires: Name,
    },
}

/// A final value and how it came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeValue {
    /// The value, references replaced.
    pub value: Arc<Value>,
    /// Never shown.
    pub secret: bool,
    /// The places that set or removed it, winner first. Empty for a node file written by hand.
    pub provenance: Arc<[ValueProvenanceEntry]>,
}

/// One place's part in a value.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueProvenanceEntry {
    /// The place.
    pub place: PlaceId,
    /// The value as written; for the removal of one map entry its path. Absent for secrets and
    /// for the removal of everything.
    pub value: Option<Arc<Value>>,
    /// Whether it removes the values of weaker places.
    pub removes: bool,
    /// Whether it takes part in the final value.
    pub effective: bool,
    /// The revision that brought it.
    pub origin: Option<RevisionAndAuthor>,
}
