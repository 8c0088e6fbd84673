//! Commands, run when their guard asks for it: what they are, whether their turn comes, and why.

use std::collections::BTreeMap;

use super::{
    ResourceBody, ResourceId, ResourceKind,
    names::{
        invalid_resource_name_message_unless, is_name_of_plain_characters, is_valid_account_name,
        resource_path_problem,
    },
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, no_resource_path},
};
use crate::{
    deployment_manifest::{
        field_reader::{DeclarationFieldReader, SECRET_IN_ENVIRONMENT_INSTEAD},
        keyword_definitions::{
            DeclarationKeywordDefinition,
            FieldValueShape::{Command, Flag, Map, Number, Text},
        },
    },
    name::Name,
    observe::{
        Observation, ObservedHost, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
        RunReasonDespiteGuard,
    },
    plan::{
        BlockScope, BlockedSubject, ComponentAndResource, PlannedAction, Planner, ResourcePropertyDifference,
        absent_prerequisite_hint,
    },
};

/// A command run when its guard requires it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecResourceBody {
    /// Program and arguments; no shell in between.
    pub command: Vec<String>,
    /// Run only if this path does not exist.
    pub creates: Option<String>,
    /// Run only if this command fails.
    pub unless: Option<Vec<String>>,
    /// Run only if this command succeeds.
    pub only_if: Option<Vec<String>>,
    /// Run only when notified.
    pub refresh_only: bool,
    /// Who runs it; root when absent.
    pub user: Option<String>,
    /// Working directory.
    pub directory: Option<String>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Seconds before it is stopped.
    pub timeout: u64,
    /// Whether what it did may stay when the host goes back to an earlier generation.
    pub reversible: bool,
    /// Asked before its component goes back to this version from a newer one; it fails where that must not be.
    pub downgrade_guard: Option<Vec<String>>,
}

pub(super) const EXEC_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "exec",
        subject: (Text, "A command run when its guard requires it; a name for it."),
        fields: &[
            (
                "command",
                Command,
                "The program with its absolute path, and its arguments; no shell in between.",
            ),
            ("creates", Text, "Run only if this path does not exist."),
            ("unless", Command, "Run only if this command fails."),
            ("only_if", Command, "Run only if this command succeeds."),
            ("refresh_only", Flag, "Run only when notified."),
            ("user", Text, "Who runs it; root when left out."),
            ("directory", Text, "Where it runs."),
            ("environment", Map, "Variables set before it."),
            ("timeout", Number, "Seconds before it is stopped; 300 when left out."),
            (
                "reversible",
                Flag,
                "What it did may stay when a failed run is rolled back. Without it, a run that fails after it is not rolled back, unless it is `refresh_only` or has a `downgrade_guard`.",
            ),
            (
                "downgrade_guard",
                Command,
                "Asked before the host goes back to this version of the component from a newer one. When it fails, nothing is changed, and what it printed says why.",
            ),
        ],
        required: &["command"],
    }],
    build: |fields, _| ResourceBody::Exec(build(fields)),
    name_problem: |name| {
        invalid_resource_name_message_unless(is_name_of_plain_characters(name, "-. /:"), ResourceKind::Exec)
    },
    path: no_resource_path,
    file_type: None,
    before_payloads: false,
    removal_stage: RemovalStage::Contents,
    // A command leaves nothing that is its own.
    is_gone: |_, _| true,
};

impl DesiredResource for ExecResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        ResourcePropertiesByKind::from([(ResourcePropertyKind::Due, ResourcePropertyValue::Flag(false))])
    }

    fn implied_requirements(&self, _name: &str) -> Vec<ResourceId> {
        let user = self.user.iter().map(|user| ResourceId::new(ResourceKind::User, user));
        let folder = self.directory.iter().map(|path| ResourceId::new(ResourceKind::Directory, path));
        user.chain(folder).collect()
    }

    fn unsupported_reason(&self, host: &ObservedHost) -> Option<&'static str> {
        (!host.runs_commands).then_some("is not run: there is no system under this root")
    }
}

impl Planner<'_> {
    /// Plans a command when its guard asks for it, when it was notified, and when packages or what it requires
    /// change before it and may change the result of its guard.
    pub(crate) fn plan_exec(
        &mut self,
        (component, resource): ComponentAndResource<'_>,
        exec: &ExecResourceBody,
        observed: &Observation<ResourcePropertiesByKind>,
        changed: &[Name],
    ) {
        if let Some(because) = downgrade_refusal(observed) {
            let because = match resource.secret {
                true => "its downgrade guard refuses it; what that printed is not shown, a secret is in it"
                    .to_owned(),
                false => because,
            };
            let components = self.components_describing((component, resource));
            let what = BlockedSubject::Downgrade(component.clone());
            return self.add_blocked_item(what, components, because, BlockScope::Run);
        }
        let lacks = missing_prerequisites(observed);
        let due = match observed {
            Observation::Present(properties) => match properties.get(&ResourcePropertyKind::Due) {
                Some(ResourcePropertyValue::Flag(due)) => Some(*due),
                _ => None,
            },
            _ => Some(true),
        };
        let notified =
            self.notified.contains_key(&resource.id) || self.observed.managed.pending.contains(&resource.id);
        if due != Some(false) || notified {
            let missing: Vec<&ResourceId> =
                lacks.iter().filter(|id| !self.can_plan_provide_resource(id)).collect();
            if let Some(first) = missing.first() {
                let because = match resource.secret {
                    true => "what it needs is not on this host; what that is is not shown, a secret is in it"
                        .to_owned(),
                    false => absent_prerequisite_hint(first),
                };
                return self.add_blocked_resource((component, resource), because);
            }
        }
        let requires =
            |id: &ResourceId| self.plan.changes.iter().any(|change| change.is_change_of_resource(id));
        let again = !exec.refresh_only
            && (changed.contains(component) || self.os_packages || resource.require.iter().any(requires));
        let because = |reason: RunReasonDespiteGuard| (Some(ResourcePropertyValue::RunReason(reason)), None);
        let (before, after) = match due {
            Some(true) => (
                (*observed != Observation::Absent).then_some(ResourcePropertyValue::Flag(true)),
                Some(ResourcePropertyValue::Flag(false)),
            ),
            _ if notified => because(RunReasonDespiteGuard::Notified),
            None => because(RunReasonDespiteGuard::GuardMustWait(lacks)),
            Some(false) if again => because(RunReasonDespiteGuard::GuardMayChange),
            Some(false) => {
                self.plan.unchanged += 1;
                return;
            }
        };
        let secret = resource.secret && due != Some(false);
        let difference =
            ResourcePropertyDifference { property: ResourcePropertyKind::Due, before, after, secret };
        let action = PlannedAction::Apply(Box::new(resource.clone()));
        let components = self.components_describing((component, resource));
        self.add_planned_change(action, components, vec![difference], false);
        self.brings = true;
        self.mark_notified_by_resource(resource);
    }
}

fn build(fields: &mut DeclarationFieldReader<'_>) -> ExecResourceBody {
    fields.refuse_secrets_in_arguments(
        &["command", "unless", "only_if", "downgrade_guard"],
        SECRET_IN_ENVIRONMENT_INSTEAD,
    );
    let exec = ExecResourceBody {
        command: fields.read_command_words("command").unwrap_or_default(),
        creates: fields.read_optional_text("creates"),
        unless: fields.read_command_words("unless"),
        only_if: fields.read_command_words("only_if"),
        refresh_only: fields.read_bool_field("refresh_only").unwrap_or(false),
        user: fields.read_optional_text("user"),
        directory: fields.read_optional_text("directory"),
        environment: fields.read_environment_variables(),
        timeout: fields.read_unsigned_integer("timeout").unwrap_or(300).clamp(1, 86_400),
        reversible: fields.read_bool_field("reversible").unwrap_or(false),
        downgrade_guard: fields.read_command_words("downgrade_guard"),
    };
    if exec.command.is_empty() && fields.errors.is_empty() {
        fields.add_declaration_error(
            "`command` is missing: a list of the program with its absolute path, then its arguments",
        );
    }
    if exec.creates.is_none() && exec.unless.is_none() && exec.only_if.is_none() && !exec.refresh_only {
        fields.add_declaration_error("without a guard it would run every time; give it `creates`, `unless`, `only_if` or `refresh_only: true`");
    }
    for (what, path) in [("creates", &exec.creates), ("directory", &exec.directory)] {
        if let Some(problem) = path.as_deref().and_then(resource_path_problem) {
            fields.add_declaration_error(&format!("`{what}`: {problem}"));
        }
    }
    if let Some(user) = exec.user.as_deref().filter(|user| !is_valid_account_name(user)) {
        fields.add_declaration_error(&format!("`{user}` is no name of a user"));
    }
    exec
}

/// Why the component of a command must not go back to its version, if its guard said so.
fn downgrade_refusal(observed: &Observation<ResourcePropertiesByKind>) -> Option<String> {
    let Observation::Present(properties) = observed else { return None };
    match properties.get(&ResourcePropertyKind::DowngradeRefusal) {
        Some(ResourcePropertyValue::Text(because)) => Some(because.clone()),
        _ => None,
    }
}

/// What a command needs and was not seen.
fn missing_prerequisites(observed: &Observation<ResourcePropertiesByKind>) -> Vec<ResourceId> {
    match observed {
        Observation::Present(properties) => match properties.get(&ResourcePropertyKind::Lacks) {
            Some(ResourcePropertyValue::Resources(lacks)) => lacks.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
