//! Users of the system.

use super::{
    ResourceBody, ResourceId, ResourceKind,
    names::{invalid_resource_name_message_unless, is_valid_account_name, resource_path_problem},
    rules::{
        DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host, no_resource_path,
    },
};
use crate::{
    deployment_manifest::{
        field_reader::DeclarationFieldReader,
        keyword_definitions::{
            DeclarationKeywordDefinition,
            FieldValueShape::{Flag, Number, Text, Texts},
        },
    },
    observe::{ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A system user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserResourceBody {
    /// Numeric id.
    pub uid: Option<u32>,
    /// Primary group, by name.
    pub group: Option<String>,
    /// Further groups, by name; the user is in these and no other (when given).
    pub groups: Option<Vec<String>>,
    /// Home directory.
    pub home: Option<String>,
    /// Login shell.
    pub shell: Option<String>,
    /// Comment (GECOS).
    pub comment: Option<String>,
    /// A system account (low uid, no ageing), when it has to be created.
    pub system: bool,
    /// Lines of `~/.ssh/authorized_keys`; the file holds these and no other (when given).
    pub authorized_keys: Option<Vec<String>>,
}

pub(super) const USER_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "user",
        subject: (Text, "A user of the system; its name."),
        fields: &[
            ("uid", Number, "Its number."),
            ("group", Text, "Its primary group; its own one when left out."),
            ("groups", Texts, "Its further groups: these and no other."),
            ("home", Text, "Its home directory."),
            ("shell", Text, "Its login shell."),
            ("comment", Text, "Its full name or purpose."),
            ("system", Flag, "A system account, when it has to be made."),
            ("authorized_keys", Texts, "The lines of ~/.ssh/authorized_keys: these and no other."),
        ],
        required: &[],
    }],
    build: |fields, _| ResourceBody::User(build(fields)),
    name_problem: |name| {
        invalid_resource_name_message_unless(is_valid_account_name(name), ResourceKind::User)
    },
    path: no_resource_path,
    file_type: None,
    before_payloads: true,
    removal_stage: RemovalStage::Users,
    is_gone: never_gone_while_on_host,
};

impl UserResourceBody {
    fn all_groups(&self) -> impl Iterator<Item = &String> {
        self.group.iter().chain(self.groups.iter().flatten())
    }
}

impl DesiredResource for UserResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        let text =
            |name, text: &Option<String>| text.clone().map(|text| (name, ResourcePropertyValue::Text(text)));
        let set = |name, texts: &Option<Vec<String>>| {
            texts.as_ref().map(|texts| (name, ResourcePropertyValue::Set(texts.iter().cloned().collect())))
        };
        let properties = [
            self.uid.map(|uid| (ResourcePropertyKind::Uid, ResourcePropertyValue::Number(uid))),
            text(ResourcePropertyKind::Group, &self.group),
            text(ResourcePropertyKind::Home, &self.home),
            text(ResourcePropertyKind::Shell, &self.shell),
            text(ResourcePropertyKind::Comment, &self.comment),
            set(ResourcePropertyKind::Groups, &self.groups),
            set(ResourcePropertyKind::AuthorizedKeys, &self.authorized_keys),
        ];
        properties.into_iter().flatten().collect()
    }

    fn mentioned_accounts(&self) -> Vec<ResourceId> {
        self.all_groups().map(|group| ResourceId::new(ResourceKind::Group, group)).collect()
    }

    fn implied_requirements(&self, _name: &str) -> Vec<ResourceId> {
        self.mentioned_accounts()
    }
}

fn build(fields: &mut DeclarationFieldReader<'_>) -> UserResourceBody {
    let user = UserResourceBody {
        uid: fields.read_numeric_id("uid"),
        group: fields.read_optional_text("group"),
        groups: fields.read_text_list("groups"),
        home: fields.read_optional_text("home"),
        shell: fields.read_optional_text("shell"),
        comment: fields.read_optional_text("comment"),
        system: fields.read_bool_field("system").unwrap_or(false),
        authorized_keys: fields.read_text_list("authorized_keys"),
    };
    for group in user.all_groups().filter(|group| !is_valid_account_name(group)) {
        fields.add_declaration_error(&format!("`{group}` is no name of a group"));
    }
    for (what, path) in [("home", &user.home), ("shell", &user.shell)] {
        if let Some(problem) = path.as_deref().and_then(resource_path_problem) {
            fields.add_declaration_error(&format!("`{what}`: {problem}"));
        }
    }
    // These end up between colons in /etc/passwd.
    if user.comment.iter().chain(&user.home).chain(&user.shell).any(|text| text.contains(':')) {
        fields.add_declaration_error("`comment`, `home` and `shell` cannot have a colon");
    }
    user
}
