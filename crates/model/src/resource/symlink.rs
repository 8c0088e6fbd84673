//! Symbolic links.

use super::{
    ResourceBody, ResourceId,
    names::{parent_directory_resource_ids, resource_path_problem},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host},
};
use crate::{
    deployment_manifest::{
        field_reader::DeclarationFieldReader,
        keyword_definitions::{DeclarationKeywordDefinition, FieldValueShape::Text},
    },
    observe::{FileType, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymlinkResourceBody {
    /// Where it points.
    pub target: String,
}

pub(super) const SYMLINK_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "symlink",
        subject: (Text, "A symbolic link; its absolute path."),
        fields: &[("target", Text, "Where it points.")],
        required: &["target"],
    }],
    build: |fields, _| ResourceBody::Symlink(build(fields)),
    name_problem: resource_path_problem,
    path: |name| Some(name.to_owned()),
    file_type: Some(FileType::Symlink),
    before_payloads: false,
    removal_stage: RemovalStage::Contents,
    is_gone: never_gone_while_on_host,
};

impl DesiredResource for SymlinkResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        ResourcePropertiesByKind::from([
            (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::Symlink)),
            (ResourcePropertyKind::Target, ResourcePropertyValue::Text(self.target.clone())),
        ])
    }

    fn implied_requirements(&self, name: &str) -> Vec<ResourceId> {
        parent_directory_resource_ids(name)
    }
}

fn build(fields: &mut DeclarationFieldReader<'_>) -> SymlinkResourceBody {
    let target = fields.read_required_text("target");
    if target.is_empty() {
        fields.add_declaration_error("`target` must not be empty");
    }
    SymlinkResourceBody { target }
}
