//! Directories.

use super::{
    Ownership, ResourceBody, ResourceId,
    names::{parent_directory_resource_ids, resource_path_problem},
    ownership::{MODE_FIELD_DEFINITION, OWNER_FIELD_DEFINITION, OWNING_GROUP_FIELD_DEFINITION},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host},
};
use crate::{
    deployment_manifest::keyword_definitions::{DeclarationKeywordDefinition, FieldValueShape::Text},
    observe::{FileType, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryResourceBody {
    /// Owner, group, mode.
    pub ownership: Ownership,
}

pub(super) const DIRECTORY_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "directory",
        subject: (Text, "A directory; its absolute path."),
        fields: &[OWNER_FIELD_DEFINITION, OWNING_GROUP_FIELD_DEFINITION, MODE_FIELD_DEFINITION],
        required: &[],
    }],
    build: |fields, _| {
        ResourceBody::Directory(DirectoryResourceBody { ownership: Ownership::read_ownership_fields(fields) })
    },
    name_problem: resource_path_problem,
    path: |name| Some(name.to_owned()),
    file_type: Some(FileType::Directory),
    before_payloads: false,
    removal_stage: RemovalStage::Folders,
    is_gone: never_gone_while_on_host,
};

impl DesiredResource for DirectoryResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        let mut properties = ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Type,
            ResourcePropertyValue::Type(FileType::Directory),
        )]);
        self.ownership.add_owner_group_mode_properties(&mut properties);
        properties
    }

    fn mentioned_accounts(&self) -> Vec<ResourceId> {
        self.ownership.owner_and_group_accounts()
    }

    fn implied_requirements(&self, name: &str) -> Vec<ResourceId> {
        parent_directory_resource_ids(name)
    }
}
