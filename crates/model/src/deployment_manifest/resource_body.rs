//! One filled-in declaration becomes one resource: what a kind is made of, and what it refuses, is in its file.

use super::field_reader::DeclarationFieldReader;
use crate::resource::{ResourceBody, ResourceKind};

/// The kind a manifest's word stands for: a template is a file after rendering.
pub(super) fn resource_kind_from_keyword(word: &str) -> Option<ResourceKind> {
    let mut kinds = ResourceKind::ALL_RESOURCE_KINDS.into_iter();
    kinds.find(|kind| kind.definition_of_kind().keywords.iter().any(|keyword| keyword.word == word))
}

/// What the resource must be like; mistakes are noted in `fields`. `source` is the content of a file's source.
pub(super) fn read_resource_body_fields(
    kind: ResourceKind,
    name: &str,
    fields: &mut DeclarationFieldReader<'_>,
    source: Option<Vec<u8>>,
) -> ResourceBody {
    let rules = kind.definition_of_kind();
    if let Some(problem) = (rules.name_problem)(name) {
        fields.add_declaration_error(&problem);
    }
    (rules.build)(fields, source)
}
