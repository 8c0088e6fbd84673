//! Files: regular files with given content. A template is one after rendering.

use super::{
    Ownership, ResourceBody, ResourceId,
    names::{parent_directory_resource_ids, resource_path_problem},
    ownership::{MODE_FIELD_DEFINITION, OWNER_FIELD_DEFINITION, OWNING_GROUP_FIELD_DEFINITION},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host},
};
use crate::{
    deployment_manifest::{
        field_reader::DeclarationFieldReader,
        keyword_definitions::{
            DeclarationKeywordDefinition, FieldDefinition,
            FieldValueShape::{Command, Text},
        },
    },
    observe::{
        FileDigestAndText, FileType, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
    },
};

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileResourceBody {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Owner, group, mode.
    pub ownership: Ownership,
    /// A program and its arguments that accepts new content, or not, before it replaces the old: the first `%` of each
    /// argument is a path at which it reads the new content.
    pub validate: Option<Vec<String>>,
}

const VALIDATE_FIELD_DEFINITION: FieldDefinition = (
    "validate",
    Command,
    "A program and its arguments, `%` for the path of the new content: unless it succeeds, the old content stays.",
);

pub(super) const FILE_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[
        DeclarationKeywordDefinition {
            word: "file",
            subject: (Text, "A regular file with given content; its absolute path."),
            fields: &[
                ("content", Text, "Its content."),
                ("source", Text, "Copied as it is from deploy/templates."),
                OWNER_FIELD_DEFINITION,
                OWNING_GROUP_FIELD_DEFINITION,
                MODE_FIELD_DEFINITION,
                VALIDATE_FIELD_DEFINITION,
            ],
            required: &[],
        },
        DeclarationKeywordDefinition {
            word: "template",
            subject: (
                Text,
                "A regular file rendered from a template; its absolute path. Elsewhere it is called `file:PATH`.",
            ),
            fields: &[
                ("source", Text, "The template, in deploy/templates."),
                OWNER_FIELD_DEFINITION,
                OWNING_GROUP_FIELD_DEFINITION,
                MODE_FIELD_DEFINITION,
                VALIDATE_FIELD_DEFINITION,
            ],
            required: &["source"],
        },
    ],
    build: |fields, source| {
        let content = content(fields, source);
        let ownership = Ownership::read_ownership_fields(fields);
        ResourceBody::File(FileResourceBody { content, ownership, validate: validation_command(fields) })
    },
    name_problem: resource_path_problem,
    path: |name| Some(name.to_owned()),
    file_type: Some(FileType::File),
    before_payloads: false,
    removal_stage: RemovalStage::Contents,
    is_gone: never_gone_while_on_host,
};

impl DesiredResource for FileResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        let mut properties = ResourcePropertiesByKind::from([
            (ResourcePropertyKind::Type, ResourcePropertyValue::Type(FileType::File)),
            (
                ResourcePropertyKind::Content,
                ResourcePropertyValue::Content(FileDigestAndText::from_bytes(&self.content)),
            ),
        ]);
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

fn content(fields: &mut DeclarationFieldReader<'_>, source: Option<Vec<u8>>) -> Vec<u8> {
    match (fields.read_multiline_text("content"), source) {
        (Some(content), None) => content.into_bytes(),
        (None, Some(source)) => source,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            fields.add_declaration_error("it has both `content` and `source`; keep one");
            Vec::new()
        }
    }
}

fn validation_command(fields: &mut DeclarationFieldReader<'_>) -> Option<Vec<String>> {
    fields.refuse_secrets_in_arguments(
        &["validate"],
        "write the command without it: the program reads the file",
    );
    let words = fields.read_program_words("validate")?;
    if !words.iter().skip(1).any(|word| word.contains('%')) {
        fields.add_declaration_error(
            "`validate` has no `%` in its arguments; write it where the program reads the path of the new content, for instance `[haproxy, -c, -f, \"%\"]`",
        );
    }
    Some(words)
}
