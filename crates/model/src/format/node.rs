//! The node file: everything one server must be, as the back-office writes it and punch reads it.

mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::write::{NodeYamlWriterWithSharedComponents, node_to_yaml_without_secrets};
pub use super::signature::{has_signature_line, public_key_id, sign_node_yaml, verify_node_file_signature};
use super::yaml::{self, FormatError, VersionedYamlFormat};
use crate::{
    catalog::PackageFile,
    component::ComponentKind,
    estate::{PlaceId, RevisionAndAuthor},
    name::{Key, Name, ServerName},
    node::{
        EpochAndGeneration, Node, NodeComponent, NodeValue, RequirementProvenanceEntry,
        RequirementProvenanceKind, ValueProvenanceEntry,
    },
    value::Value,
    version::{Version, VersionRange},
};

/// Everything one server must be.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Node", title = "Geppetto node")]
pub(super) struct NodeFile {
    /// The format of this file and its version.
    #[schemars(extend("const" = "geppetto/node/1"))]
    format: String,
    /// Which server; `localhost` when left out.
    #[serde(default = "localhost")]
    server: ServerName,
    /// The environment it is in; `local` when left out.
    #[serde(default = "local")]
    environment: Name,
    /// The channel its packages come from; `local` when left out.
    #[serde(default = "local")]
    channel: Name,
    /// Grows each time the control plane is recovered from a backup; 0 in a file written by hand.
    #[serde(default, skip_serializing_if = "is_zero")]
    epoch: u64,
    /// Grows by one each time the content changes; 0 in a file written by hand.
    #[serde(default)]
    generation: u64,
    /// The components it runs, by name.
    components: BTreeMap<Name, NodeComponentFile>,
}

/// One component, in an exact version, with final values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NodeComponent")]
struct NodeComponentFile {
    /// The exact version.
    version: Version,
    /// What kind of component it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<ComponentKind>,
    /// The exact payload package; left out in a file written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Arc<PackageFile>>,
    /// The exact deployment package; left out in a file written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<Arc<PackageFile>>,
    /// The requirements and removals of this component, winner first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requirements: Vec<RequirementFile>,
    /// Final values, by parameter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<Key, Arc<Value>>,
    /// The parameters whose values are never shown.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    secrets: BTreeSet<Key>,
    /// The provenance of each value, winner first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    provenance: BTreeMap<Key, Vec<ProvenanceFile>>,
}

/// A requirement or removal of a component by a place, or by a component that requires it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RequirementProvenance")]
struct RequirementFile {
    /// The place: `role web`, `server web-01`; `default of shop` when `shop` requires it.
    #[schemars(with = "String")]
    place: PlaceText,
    /// The version range; absent for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<VersionRange>,
    /// Whether it only constrains the version and does not require the component.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    constrains: bool,
    /// The newer version that is not chosen, because the place removes what it requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    excludes: Option<Version>,
    /// What that version requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requires: Option<Name>,
    /// Whether it takes part in the choice.
    effective: bool,
    /// The revision that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// Who committed that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// One place's part in a value.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Provenance")]
struct ProvenanceFile {
    /// The place: `role web`, `server web-01`, `default of shop`.
    #[schemars(with = "String")]
    place: PlaceText,
    /// The value as written; absent for secrets.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Arc<Value>>,
    /// Whether it removes the values of weaker places.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removes: bool,
    /// Whether it takes part in the final value.
    effective: bool,
    /// The revision that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// Who committed that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// A place as its `Display` writes it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct PlaceText(PlaceId);

impl VersionedYamlFormat for NodeFile {
    const FORMAT: &'static str = "geppetto/node/1";
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a node file, signed or not; [`verify_node_file_signature`] is asked apart.
pub fn parse_node_yaml(file: &str, text: &str) -> Result<Node, FormatError> {
    let document: NodeFile = yaml::parse_versioned_yaml(file, text)?;
    let mut components = BTreeMap::new();
    for (name, component) in document.components {
        let read = component.read(&name).map_err(|message| FormatError::new(file, message))?;
        components.insert(name, Arc::new(read));
    }
    Ok(Node {
        server: document.server,
        environment: document.environment,
        channel: document.channel,
        epoch: document.epoch,
        generation: document.generation,
        components,
    })
}

/// Returns the text of a node file, unsigned: the same text for the same node. For many nodes use one [`NodeYamlWriterWithSharedComponents`].
pub fn node_to_yaml(node: &Node) -> String {
    NodeYamlWriterWithSharedComponents::default().node_to_unsigned_yaml(node)
}

/// The node file as JSON, for programs that do not read YAML.
pub fn node_to_json(node: &Node) -> serde_json::Value {
    serde_json::to_value(NodeFile::new(node)).unwrap_or_default()
}

/// Whether a host whose highest number so far is `last` may go on to `new`; both are a number and its
/// [`digest_node_content`](crate::node::digest_node_content).
///
/// Generation 0 is a file written by hand: it is always accepted, and nothing is older than it.
pub fn check_generation_may_follow(
    last: Option<(EpochAndGeneration, &str)>,
    new: (EpochAndGeneration, &str),
) -> Result<(), String> {
    let Some((had, digest)) = last else { return Ok(()) };
    let (number, content) = new;
    let generation = number.generation;
    if generation == 0 {
        return Ok(());
    }
    if number.epoch < had.epoch {
        return Err(format!(
            "generation {generation} was made before the control plane was recovered from a backup (epoch {}; this host \
             already had epoch {}); this may be a replay of an old node file. Run `punch restore` again to fetch the \
             current one",
            number.epoch, had.epoch
        ));
    }
    if number < had {
        return Err(format!(
            "generation {generation} is older than generation {}, which this host already had; this may be a replay of \
             an old node file. Run `punch restore` again to fetch the current one. If the control plane's data was put back from a \
             copy, hosts refuse its lower generations until it has a new epoch: stop it, make a backup of it with \
             `geppetto backup`, and recover that with `geppetto recover`",
            had.generation
        ));
    }
    if number == had && content != digest {
        return Err(format!(
            "generation {generation} has other content than the generation {generation} this host already had; \
             one generation never has two contents. If the control plane's data was put back from a copy, stop it, make a \
             backup of it with `geppetto backup`, and recover that with `geppetto recover`"
        ));
    }
    Ok(())
}

/// For serde: zero is the default, and is left out of the file.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl NodeFile {
    fn new(node: &Node) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            server: node.server.clone(),
            environment: node.environment.clone(),
            channel: node.channel.clone(),
            epoch: node.epoch,
            generation: node.generation,
            components: node
                .components
                .iter()
                .map(|(name, component)| (name.clone(), NodeComponentFile::new(component)))
                .collect(),
        }
    }
}

impl NodeComponentFile {
    fn new(component: &NodeComponent) -> Self {
        let values = || component.values.iter();
        Self {
            version: component.version.clone(),
            kind: component.kind,
            payload: component.payload.clone(),
            deployment: component.deployment.clone(),
            requirements: component.requirements.iter().map(RequirementFile::new).collect(),
            values: values().map(|(key, value)| (key.clone(), value.value.clone())).collect(),
            secrets: values().filter(|(_, value)| value.secret).map(|(key, _)| key.clone()).collect(),
            provenance: values()
                .filter(|(_, value)| !value.provenance.is_empty())
                .map(|(key, value)| (key.clone(), value.provenance.iter().map(ProvenanceFile::new).collect()))
                .collect(),
        }
    }

    fn read(mut self, name: &Name) -> Result<NodeComponent, String> {
        for key in self.secrets.iter().chain(self.provenance.keys()) {
            if !self.values.contains_key(key) {
                return Err(format!(
                    "`secrets` or `provenance` of `{name}` names `{key}`, which has no value under `values`"
                ));
            }
        }
        let values = self
            .values
            .into_iter()
            .map(|(key, value)| {
                let provenance = self.provenance.remove(&key).unwrap_or_default();
                let value = NodeValue {
                    value,
                    secret: self.secrets.contains(&key),
                    provenance: provenance.into_iter().map(ProvenanceFile::read).collect(),
                };
                (key, Arc::new(value))
            })
            .collect();
        Ok(NodeComponent {
            version: self.version,
            kind: self.kind,
            payload: self.payload,
            deployment: self.deployment,
            requirements: Arc::new(self.requirements.into_iter().map(RequirementFile::read).collect()),
            values,
        })
    }
}

impl RequirementFile {
    fn new(requirement: &RequirementProvenanceEntry) -> Self {
        let (mut range, mut excludes, mut requires) = (None, None, None);
        match &requirement.what {
            RequirementProvenanceKind::Requires(of) | RequirementProvenanceKind::Constrains(of) => {
                range = Some(of.clone())
            }
            RequirementProvenanceKind::Removes => (),
            RequirementProvenanceKind::Excludes { version, requires: required } => {
                (excludes, requires) = (Some(version.clone()), Some(required.clone()));
            }
        }
        Self {
            place: PlaceText(requirement.place.clone()),
            range,
            constrains: matches!(requirement.what, RequirementProvenanceKind::Constrains(_)),
            excludes,
            requires,
            effective: requirement.effective,
            revision: requirement.origin.as_ref().map(|origin| origin.revision),
            by: requirement.origin.as_ref().map(|origin| origin.by.clone()),
        }
    }

    fn read(self) -> RequirementProvenanceEntry {
        let what = match (self.range, self.excludes, self.requires) {
            (Some(range), ..) if self.constrains => RequirementProvenanceKind::Constrains(range),
            (Some(range), ..) => RequirementProvenanceKind::Requires(range),
            (None, Some(version), Some(requires)) => {
                RequirementProvenanceKind::Excludes { version, requires }
            }
            (None, ..) => RequirementProvenanceKind::Removes,
        };
        let origin = origin(self.revision, self.by);
        RequirementProvenanceEntry { place: self.place.0, what, effective: self.effective, origin }
    }
}

impl ProvenanceFile {
    fn new(entry: &ValueProvenanceEntry) -> Self {
        Self {
            place: PlaceText(entry.place.clone()),
            value: entry.value.clone(),
            removes: entry.removes,
            effective: entry.effective,
            revision: entry.origin.as_ref().map(|origin| origin.revision),
            by: entry.origin.as_ref().map(|origin| origin.by.clone()),
        }
    }

    fn read(self) -> ValueProvenanceEntry {
        ValueProvenanceEntry {
            place: self.place.0,
            value: self.value,
            removes: self.removes,
            effective: self.effective,
            origin: origin(self.revision, self.by),
        }
    }
}

fn origin(revision: Option<u64>, by: Option<String>) -> Option<RevisionAndAuthor> {
    revision.map(|revision| RevisionAndAuthor { revision, by: by.unwrap_or_default() })
}

impl TryFrom<String> for PlaceText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl From<PlaceText> for String {
    fn from(place: PlaceText) -> String {
        place.0.to_string()
    }
}

/// A value that is there, `null` included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<Value>>, D::Error> {
    Value::deserialize(deserializer).map(|value| Some(Arc::new(value)))
}

#[expect(clippy::expect_used, reason = "a constant that is a name")]
fn localhost() -> ServerName {
    ServerName::new("localhost").expect("is a server name")
}

#[expect(clippy::expect_used, reason = "a constant that is a name")]
fn local() -> Name {
    Name::new("local").expect("is a name")
}
