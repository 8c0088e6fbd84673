//! Groups of the system.

use super::{
    ResourceBody, ResourceKind,
    names::{invalid_resource_name_message_unless, is_valid_account_name},
    rules::{
        DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host, no_resource_path,
    },
};
use crate::{
    deployment_manifest::keyword_definitions::{
        DeclarationKeywordDefinition,
        FieldValueShape::{Flag, Number, Text},
    },
    observe::{ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A system group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupResourceBody {
    /// Numeric id.
    pub gid: Option<u32>,
    /// A system group (low gid), when it has to be created.
    pub system: bool,
}

pub(super) const GROUP_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "group",
        subject: (Text, "A group of the system; its name."),
        fields: &[
            ("gid", Number, "Its number."),
            ("system", Flag, "A system group, when it has to be made."),
        ],
        required: &[],
    }],
    build: |fields, _| {
        let system = fields.read_bool_field("system").unwrap_or(false);
        ResourceBody::Group(GroupResourceBody { gid: fields.read_numeric_id("gid"), system })
    },
    name_problem: |name| {
        invalid_resource_name_message_unless(is_valid_account_name(name), ResourceKind::Group)
    },
    path: no_resource_path,
    file_type: None,
    before_payloads: true,
    removal_stage: RemovalStage::Groups,
    is_gone: never_gone_while_on_host,
};

impl DesiredResource for GroupResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        self.gid
            .map(|gid| (ResourcePropertyKind::Gid, ResourcePropertyValue::Number(gid)))
            .into_iter()
            .collect()
    }
}
