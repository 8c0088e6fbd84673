//! Directories.

use super::{
    Ownership, ResourceBody, ResourceId,
    names::{folders_above, path_problem},
    ownership::{GROUP, MODE, OWNER},
    rules::{KindRules, RemovalStage, ResourceRules, never_gone},
};
use crate::{
    manifest::field_schema::{FieldShape::Text, ResourceSchema},
    observe::{Fact, FactName, FileType, ResourceFacts},
};

/// A directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryResource {
    /// Owner, group, mode.
    pub ownership: Ownership,
}

pub(super) const RULES: KindRules = KindRules {
    schemas: &[ResourceSchema {
        word: "directory",
        subject: (Text, "A directory; its absolute path."),
        fields: &[OWNER, GROUP, MODE],
        required: &[],
    }],
    build: |fields, _| ResourceBody::Directory(DirectoryResource { ownership: Ownership::read(fields) }),
    name_problem: path_problem,
    path: |name| Some(name.to_owned()),
    file_type: Some(FileType::Directory),
    before_payloads: false,
    removal_stage: RemovalStage::Folders,
    is_gone: never_gone,
};

impl ResourceRules for DirectoryResource {
    fn desired_facts(&self) -> ResourceFacts {
        let mut facts = ResourceFacts::from([(FactName::Type, Fact::Type(FileType::Directory))]);
        self.ownership.add_facts(&mut facts);
        facts
    }

    fn accounts(&self) -> Vec<ResourceId> {
        self.ownership.accounts()
    }

    fn implied_requirements(&self, name: &str) -> Vec<ResourceId> {
        folders_above(name)
    }
}
