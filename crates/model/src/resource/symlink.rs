//! Symbolic links.

use super::{
    ResourceBody, ResourceId,
    names::{parent_folder_ids, path_problem},
    rules::{RemovalStage, ResourceKindRules, ResourceRules, never_gone_while_present},
};
use crate::{
    manifest::{
        field_reader::FieldReader,
        field_schema::{FieldShape::Text, ResourceSchema},
    },
    observe::{Fact, FactName, FileType, ResourceFacts},
};

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymlinkResource {
    /// Where it points.
    pub target: String,
}

pub(super) const SYMLINK_RULES: ResourceKindRules = ResourceKindRules {
    schemas: &[ResourceSchema {
        word: "symlink",
        subject: (Text, "A symbolic link; its absolute path."),
        fields: &[("target", Text, "Where it points.")],
        required: &["target"],
    }],
    build: |fields, _| ResourceBody::Symlink(build(fields)),
    name_problem: path_problem,
    path: |name| Some(name.to_owned()),
    file_type: Some(FileType::Symlink),
    before_payloads: false,
    removal_stage: RemovalStage::Contents,
    is_gone: never_gone_while_present,
};

impl ResourceRules for SymlinkResource {
    fn desired_facts(&self) -> ResourceFacts {
        ResourceFacts::from([
            (FactName::Type, Fact::Type(FileType::Symlink)),
            (FactName::Target, Fact::Text(self.target.clone())),
        ])
    }

    fn implied_requirements(&self, name: &str) -> Vec<ResourceId> {
        parent_folder_ids(name)
    }
}

fn build(fields: &mut FieldReader<'_>) -> SymlinkResource {
    let target = fields.read_required_text("target");
    if target.is_empty() {
        fields.add_error("`target` must not be empty");
    }
    SymlinkResource { target }
}
