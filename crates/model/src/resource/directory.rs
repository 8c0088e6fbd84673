//! Directories.

use super::{
    Ownership, ResourceBody, ResourceId,
    names::{parent_directory_resource_ids, resource_path_problem},
    ownership::{MODE_FIELD_SCHEMA, OWNER_FIELD_SCHEMA, OWNING_GROUP_FIELD_SCHEMA},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host},
};
use crate::{
    deployment_manifest::schema_types::{FieldValueShape::Text, ResourceOrHealthCheckKindSchema},
    observe::{FactKind, FactValue, FileType, ResourceFactsByKind},
};

/// A directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryResourceBody {
    /// Owner, group, mode.
    pub ownership: Ownership,
}

pub(super) const DIRECTORY_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    schemas: &[ResourceOrHealthCheckKindSchema {
        word: "directory",
        subject: (Text, "A directory; its absolute path."),
        fields: &[OWNER_FIELD_SCHEMA, OWNING_GROUP_FIELD_SCHEMA, MODE_FIELD_SCHEMA],
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
    fn desired_facts(&self) -> ResourceFactsByKind {
        let mut facts = ResourceFactsByKind::from([(FactKind::Type, FactValue::Type(FileType::Directory))]);
        self.ownership.add_owner_group_mode_facts(&mut facts);
        facts
    }

    fn accounts(&self) -> Vec<ResourceId> {
        self.ownership.required_accounts()
    }

    fn implied_requirements(&self, name: &str) -> Vec<ResourceId> {
        parent_directory_resource_ids(name)
    }
}
