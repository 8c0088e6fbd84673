//! Jobs of cron: files in `/etc/cron.d`.

mod schedule;

use std::collections::BTreeMap;

use super::{
    ResourceBody, ResourceKind,
    names::{invalid_resource_name_message_unless, is_name_of_plain_characters, is_valid_account_name},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host},
};
use crate::{
    deployment_manifest::{
        field_reader::{DeclarationFieldReader, SECRET_IN_ENVIRONMENT_INSTEAD},
        keyword_definitions::{
            DeclarationKeywordDefinition,
            FieldValueShape::{Map, Text},
        },
    },
    observe::{FileDigestAndText, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A job in `/etc/cron.d/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronResourceBody {
    /// Five fields, or `@daily` and its kin (crontab(5)).
    pub schedule: String,
    /// Who runs it.
    pub user: String,
    /// The command line.
    pub command: String,
    /// Variables set before it.
    pub environment: BTreeMap<String, String>,
}

pub(super) const CRON_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "cron",
        subject: (Text, "A job of cron; the name of its file in /etc/cron.d."),
        fields: &[
            ("schedule", Text, "Five fields, or @hourly, @daily, @weekly, @monthly, @yearly, @reboot."),
            ("user", Text, "Who runs it; root when left out."),
            ("command", Text, "The command line."),
            ("environment", Map, "Variables set before it."),
        ],
        required: &["schedule", "command"],
    }],
    build: |fields, _| ResourceBody::Cron(build(fields)),
    // cron ignores files with a dot in their name.
    name_problem: |name| {
        invalid_resource_name_message_unless(is_name_of_plain_characters(name, "-"), ResourceKind::Cron)
    },
    path: |name| Some(format!("/etc/cron.d/{name}")),
    file_type: None,
    before_payloads: false,
    removal_stage: RemovalStage::Contents,
    is_gone: never_gone_while_on_host,
};

impl CronResourceBody {
    /// The text of its file in `/etc/cron.d`.
    pub fn cron_file_text(&self) -> String {
        let mut text = "# Written by punch; changes here are undone by the next restore.\n".to_owned();
        for (name, value) in &self.environment {
            text.push_str(&format!("{name}={value}\n"));
        }
        text.push_str(&format!("{} {} {}\n", self.schedule, self.user, self.command));
        text
    }
}

impl DesiredResource for CronResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        let content = FileDigestAndText::from_bytes(self.cron_file_text().as_bytes());
        ResourcePropertiesByKind::from([(
            ResourcePropertyKind::Content,
            ResourcePropertyValue::Content(content),
        )])
    }
}

fn build(fields: &mut DeclarationFieldReader<'_>) -> CronResourceBody {
    fields.refuse_secrets_in_arguments(&["command"], SECRET_IN_ENVIRONMENT_INSTEAD);
    let cron = CronResourceBody {
        schedule: fields.read_checked_text("schedule", schedule::check_and_respace_cron_schedule),
        user: fields.read_optional_text("user").unwrap_or_else(|| "root".to_owned()),
        command: fields.read_required_text("command"),
        environment: fields.read_environment_variables(),
    };
    if !is_valid_account_name(&cron.user) {
        fields.add_declaration_error(&format!("`{}` is no name of a user", cron.user));
    }
    cron
}
