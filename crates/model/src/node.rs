//! The node: everything one server must be. What resolution makes and punch applies.

use std::collections::BTreeMap;

use crate::{
    catalog::PackageFile,
    component::ComponentKind,
    estate::{Place, RevisionOrigin},
    name::{Key, Name, ServerName},
    value::Value,
    version::{Version, VersionRange},
};

/// Everything one server must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Which server.
    pub server: ServerName,
    /// The environment it is in.
    pub environment: Name,
    /// The channel its packages come from.
    pub channel: Name,
    /// Grows by one each time the content changes; 0 before the back-office numbered it.
    pub generation: u64,
    /// The components it runs, by name.
    pub components: BTreeMap<Name, NodeComponent>,
}

/// One component on a server: an exact version and final values.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeComponent {
    /// The exact version.
    pub version: Version,
    /// What kind of component it is.
    pub kind: Option<ComponentKind>,
    /// The exact payload package, when the node comes from a catalog.
    pub payload: Option<PackageFile>,
    /// The exact deployment package, when the node comes from a catalog.
    pub deployment: Option<PackageFile>,
    /// The requirements and removals of this component, winner first.
    pub requirements: Vec<RequirementProvenance>,
    /// Final values, by parameter.
    pub values: BTreeMap<Key, NodeValue>,
}

/// A requirement or removal of a component by a place, or by a component that requires it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequirementProvenance {
    /// The place, or the component that requires it.
    pub place: Place,
    /// For which versions; `None` removes the requirements of weaker places.
    pub range: Option<VersionRange>,
    /// Whether it takes part in the choice.
    pub effective: bool,
    /// The revision that brought it.
    pub origin: Option<RevisionOrigin>,
}

/// A final value and how it came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeValue {
    /// The value, references replaced.
    pub value: Value,
    /// Never shown.
    pub secret: bool,
    /// The places that set or removed it, winner first. Empty for a node file written by hand.
    pub provenance: Vec<Provenance>,
}

/// One place's part in a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// The place.
    pub place: Place,
    /// The value as written; for the removal of one map entry its path. Absent for secrets and
    /// for the removal of everything.
    pub value: Option<Value>,
    /// Whether it removes the values of weaker places.
    pub removes: bool,
    /// Whether it takes part in the final value.
    pub effective: bool,
    /// The revision that brought it.
    pub origin: Option<RevisionOrigin>,
}
