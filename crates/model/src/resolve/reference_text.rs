//! A text with references whose value is made anew for each server, without looking at its places again.

use std::sync::Arc;

use super::{
    numbered_parameters::ComponentsWithNumberedParameters,
    reference::{ReferenceTarget, TextOrReference, parse_reference_target, split_at_references},
};
use crate::node::ValueProvenanceEntry;

/// A text with references, which one place or the default alone has set.
pub(super) struct ReferenceTextTemplate {
    pub(super) parts: Vec<ReferenceTextPart>,
    /// About how long the text becomes.
    pub(super) capacity: usize,
    /// Whether the value was secret when the provenance was made.
    pub(super) secret: bool,
    pub(super) provenance: Arc<[ValueProvenanceEntry]>,
    pub(super) provenance_size: usize,
}

/// A piece of a text.
pub(super) enum ReferenceTextPart {
    Text(Box<str>),
    ServerName,
    ServerEnvironment,
    /// The value of a parameter, by its number.
    Value(u32),
}

/// Cuts a text at its references, which are all known in the set.
pub(super) fn split_into_reference_text_parts(
    text: &str,
    set: &ComponentsWithNumberedParameters<'_>,
) -> Option<Vec<ReferenceTextPart>> {
    let parts = split_at_references(text)?.into_iter().map(|part| match part {
        TextOrReference::Text(text) => Some(ReferenceTextPart::Text(text.into())),
        TextOrReference::Reference(inside) => Some(match parse_reference_target(inside)? {
            ReferenceTarget::ServerName => ReferenceTextPart::ServerName,
            ReferenceTarget::ServerEnvironment => ReferenceTextPart::ServerEnvironment,
            ReferenceTarget::Value(name, key) => {
                ReferenceTextPart::Value(set.parameters[set.find_parameter_slot(&name, &key)?].number)
            }
        }),
    });
    parts.collect()
}
