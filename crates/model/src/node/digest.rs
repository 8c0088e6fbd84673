//! The digest of what a node makes a server be: the same for nodes that differ only in generation or provenance.
//!
//! SHA-256 over a compact canonical form: every text and list is preceded by its length (LEB128, as in WebAssembly and
//! DWARF), every value by a byte for its type. The form of a whole value or of a component's packages is replaced by its own
//! SHA-256 where it is longer than [`MAX_INLINE`]. A component has a digest of its own. So servers that share a value or a
//! component also share the work.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Node, NodeComponent, NodeValue};
use crate::{
    catalog::PackageFile,
    name::{Key, Name, ServerName},
    value::Value,
};

/// SHA-256 of a node's or a component's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeContentDigest([u8; 32]);

/// Digests a node. Generation and provenance do not count.
pub fn digest_node_content(node: &Node) -> NodeContentDigest {
    let components =
        node.components.iter().map(|(name, component)| (name, digest_node_component_content(component)));
    digest_node_content_from_components(&node.server, &node.environment, &node.channel, components)
}

/// Digests a component of a node. Requirements and provenance do not count.
pub fn digest_node_component_content(component: &NodeComponent) -> NodeContentDigest {
    let mut digester = ComponentDigester::new(&canonical_version_and_packages(component));
    for (key, value) in component.values.iter() {
        digester.add_canonical_part(&canonical_parameter_value(key, value));
    }
    digester.finish_digest()
}

/// Digests a component whose parts are in their canonical form already.
pub(crate) struct ComponentDigester(Sha256);

impl ComponentDigester {
    /// Begins with what [`canonical_version_and_packages`] made.
    pub(crate) fn new(packages: &CanonicalDigestPart) -> Self {
        let mut digester = Self(Sha256::new());
        digester.add_canonical_part(packages);
        digester
    }

    /// Adds the next value, as [`canonical_parameter_value`] made it.
    pub(crate) fn add_canonical_part(&mut self, part: &CanonicalDigestPart) {
        self.0.update(part.as_bytes());
    }

    pub(crate) fn finish_digest(self) -> NodeContentDigest {
        NodeContentDigest(self.0.finalize().into())
    }
}

/// The longest form that is not replaced by its digest, in bytes: one block of SHA-256.
const MAX_INLINE: usize = 63;

/// A part of a canonical form: its length and itself, or a mark and its digest.
pub(crate) struct CanonicalDigestPart {
    bytes: [u8; MAX_INLINE + 1],
}

impl CanonicalDigestPart {
    fn new(form: &[u8]) -> Self {
        let mut bytes = [0; MAX_INLINE + 1];
        match u8::try_from(form.len()) {
            Ok(length) if form.len() <= MAX_INLINE => {
                bytes[0] = length;
                bytes[1..=form.len()].copy_from_slice(form);
            }
            _ => {
                bytes[0] = u8::MAX;
                bytes[1..33].copy_from_slice(&Sha256::digest(form));
            }
        }
        Self { bytes }
    }

    fn as_bytes(&self) -> &[u8] {
        match self.bytes[0] {
            u8::MAX => &self.bytes[..33],
            length => &self.bytes[..=usize::from(length)],
        }
    }
}

/// The canonical form of a component's version, kind and packages.
pub(crate) fn canonical_version_and_packages(component: &NodeComponent) -> CanonicalDigestPart {
    let mut form = CanonicalForm::default();
    form.text(component.version.version_without_release());
    form.text(component.version.release_part().unwrap_or_default());
    form.bytes.push(component.kind.map_or(0, |kind| kind as u8 + 1));
    form.package(component.payload.as_deref());
    form.package(component.deployment.as_deref());
    CanonicalDigestPart::new(&form.bytes)
}

/// The canonical form of a parameter and its value.
pub(crate) fn canonical_parameter_value(key: &Key, value: &NodeValue) -> CanonicalDigestPart {
    let mut form = CanonicalForm { bytes: Vec::with_capacity(2 * MAX_INLINE) };
    form.text(key.as_str());
    form.bytes.push(value.secret.into());
    form.value(&value.value);
    CanonicalDigestPart::new(&form.bytes)
}

/// Digests a node whose components are digested already, in the order of their names.
pub(crate) fn digest_node_content_from_components<'n>(
    server: &ServerName,
    environment: &Name,
    channel: &Name,
    components: impl Iterator<Item = (&'n Name, NodeContentDigest)>,
) -> NodeContentDigest {
    let mut form = CanonicalForm::default();
    form.text(server.as_str());
    form.text(environment.as_str());
    form.text(channel.as_str());
    for (name, digest) in components {
        form.text(name.as_str());
        form.bytes.extend(digest.0);
    }
    form.digest()
}

#[derive(Default)]
struct CanonicalForm {
    bytes: Vec<u8>,
}

impl CanonicalForm {
    fn length(&mut self, mut length: usize) {
        while length > 0x7f {
            self.bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend(text.as_bytes());
    }

    fn package(&mut self, package: Option<&PackageFile>) {
        let Some(PackageFile { name, file, sha256, size }) = package else { return self.bytes.push(0) };
        self.bytes.push(1);
        for text in [name, file, sha256] {
            self.text(text);
        }
        self.bytes.extend(size.to_le_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes.push(0),
            Value::Boolean(flag) => self.bytes.extend([1, (*flag).into()]),
            Value::Integer(number) => {
                self.bytes.push(2);
                self.bytes.extend(number.to_le_bytes());
            }
            Value::Number(number) => {
                self.bytes.push(3);
                self.bytes.extend(number.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                self.bytes.push(4);
                self.text(text);
            }
            Value::List(items) => {
                self.bytes.push(5);
                self.length(items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::Map(map) => {
                self.bytes.push(6);
                self.length(map.len());
                for (key, value) in map {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    fn digest(&self) -> NodeContentDigest {
        NodeContentDigest(Sha256::digest(&self.bytes).into())
    }
}

impl fmt::Display for NodeContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
