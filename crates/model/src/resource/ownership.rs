//! Who owns what lies at a path, and its mode: the same for files and directories.

use super::{ResourceId, ResourceKind, names::is_valid_account_name};
use crate::{
    deployment_manifest::{
        field_reader::DeclarationFieldReader,
        keyword_definitions::{FieldDefinition, FieldValueShape},
    },
    observe::{ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// Who owns a path, and its mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// User name.
    pub owner: Option<String>,
    /// Group name.
    pub group: Option<String>,
    /// Permission bits (`0o644`).
    pub mode: Option<u32>,
}

pub(super) const OWNER_FIELD_DEFINITION: FieldDefinition =
    ("owner", FieldValueShape::Text, "The user it belongs to.");
pub(super) const OWNING_GROUP_FIELD_DEFINITION: FieldDefinition =
    ("group", FieldValueShape::Text, "The group it belongs to.");
pub(super) const MODE_FIELD_DEFINITION: FieldDefinition =
    ("mode", FieldValueShape::Mode, "Its permission bits, in quotes: \"0644\".");

impl Ownership {
    pub(super) fn read_ownership_fields(fields: &mut DeclarationFieldReader<'_>) -> Self {
        let ownership = Self {
            owner: fields.read_optional_text("owner"),
            group: fields.read_optional_text("group"),
            mode: fields.read_file_mode(),
        };
        for name in ownership.owner.iter().chain(&ownership.group) {
            if !is_valid_account_name(name) && name.parse::<u32>().is_err() {
                fields.add_declaration_error(&format!("`{name}` is no name of a user or group"));
            }
        }
        ownership
    }

    pub(super) fn add_owner_group_mode_properties(&self, properties: &mut ResourcePropertiesByKind) {
        properties.extend(
            self.owner.clone().map(|owner| (ResourcePropertyKind::Owner, ResourcePropertyValue::Text(owner))),
        );
        properties.extend(
            self.group.clone().map(|group| (ResourcePropertyKind::Group, ResourcePropertyValue::Text(group))),
        );
        properties
            .extend(self.mode.map(|mode| (ResourcePropertyKind::Mode, ResourcePropertyValue::Mode(mode))));
    }

    /// The accounts it names.
    pub(crate) fn owner_and_group_accounts(&self) -> Vec<ResourceId> {
        let user = self.owner.iter().map(|name| ResourceId::new(ResourceKind::User, name));
        let group = self.group.iter().map(|name| ResourceId::new(ResourceKind::Group, name));
        user.chain(group).collect()
    }
}
