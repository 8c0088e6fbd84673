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
    /// Who asked for this component and version, and who took it away, winner first.
    pub wished: Vec<RequirementProvenance>,
    /// Final values, by parameter.
    pub values: BTreeMap<Key, NodeValue>,
}

/// What one place, or a component that requires it, wants of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct RequirementProvenance {
    /// Who wished.
    pub place: Place,
    /// For which versions; `None` takes away what weaker places wish for.
    pub range: Option<VersionRange>,
    /// Whether it had a part in the choice.
    pub counts: bool,
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
    /// Who said something about it, winner first. Empty for a node file written by hand.
    pub voices: Vec<Provenance>,
}

/// What one place said about a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Who said it.
    pub place: Place,
    /// What it said, as written; for the removal of one entry of a map its path. Absent for secrets and
    /// for the removal of everything.
    pub value: Option<Value>,
    /// Whether it took away what weaker places said.
    pub removes: bool,
    /// Whether it had a part in the final value.
    pub counts: bool,
    /// The revision that brought it.
    pub origin: Option<RevisionOrigin>,
}
