//! Services: units of systemd.

use super::{
    ResourceBody, ResourceId, ResourceKind,
    names::{invalid_resource_name_message_unless, is_name_of_plain_characters},
    rules::{DesiredResource, RemovalStage, ResourceKindDefinition, no_resource_path},
};
use crate::{
    deployment_manifest::keyword_definitions::{
        DeclarationKeywordDefinition,
        FieldValueShape::{Flag, Number, Text},
    },
    name::Name,
    observe::{
        Observation, ObservedHost, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
    },
    plan::{ComponentAndResource, PlannedAction, Planner},
};

/// What the name of a unit of systemd can end with; a service may leave its end out.
pub const UNIT_SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".slice",
    ".scope",
    ".device",
];

/// A systemd unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceResourceBody {
    /// Started at boot.
    pub enabled: Option<bool>,
    /// Running now.
    pub running: Option<bool>,
    /// `reload` instead of `restart` when notified.
    pub reload: bool,
    /// For how many seconds it must run after it was started; 3 when nothing is said.
    pub settle: Option<u64>,
}

/// For how many seconds a service is watched after it was started.
pub(crate) const DEFAULT_SETTLE_SECONDS: u64 = 3;
/// The longest that a manifest may ask for.
const MAX_SETTLE_SECONDS: u64 = 600;

pub(super) const SERVICE_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "service",
        subject: (Text, "A unit of systemd; its name, `.service` may be left out."),
        fields: &[
            ("enabled", Flag, "Whether it starts at boot."),
            ("running", Flag, "Whether it runs."),
            ("reload", Flag, "Reload instead of restart when notified."),
            (
                "settle",
                Number,
                "For how many seconds it must run after it was started: one that ends or is started again by systemd meanwhile has failed. 3 when left out; 0 does not watch it.",
            ),
        ],
        required: &[],
    }],
    build: |fields, _| {
        let settle = fields.read_unsigned_integer("settle");
        if settle.is_some_and(|seconds| seconds > MAX_SETTLE_SECONDS) {
            fields.add_declaration_error(&format!("`settle` must be at most {MAX_SETTLE_SECONDS} seconds"));
        }
        ResourceBody::Service(ServiceResourceBody {
            enabled: fields.read_bool_field("enabled"),
            running: fields.read_bool_field("running"),
            reload: fields.read_bool_field("reload").unwrap_or(false),
            settle,
        })
    },
    name_problem: |name| {
        invalid_resource_name_message_unless(
            is_name_of_plain_characters(name, "-.@:\\"),
            ResourceKind::Service,
        )
    },
    path: no_resource_path,
    file_type: None,
    before_payloads: false,
    removal_stage: RemovalStage::Services,
    is_gone: |properties, booted| {
        let runs = booted && is_on(properties, ResourcePropertyKind::Running);
        !runs && !is_on(properties, ResourcePropertyKind::Enabled)
    },
};

/// The one name of a service: `shop.service` is `shop`.
pub(super) fn strip_service_unit_suffix(name: &str) -> &str {
    let bare =
        name.strip_suffix(".service").filter(|bare| !UNIT_SUFFIXES.iter().any(|end| bare.ends_with(end)));
    bare.filter(|bare| !bare.is_empty()).unwrap_or(name)
}

/// Whether a service was seen running.
pub(crate) fn is_service_running(observed: Option<&Observation<ResourcePropertiesByKind>>) -> bool {
    matches!(observed, Some(Observation::Present(properties)) if is_on(properties, ResourcePropertyKind::Running))
}

/// Whether a service was seen neither running nor starting at boot.
pub(crate) fn is_service_not_seen_active(observed: &Observation<ResourcePropertiesByKind>) -> bool {
    match observed {
        Observation::Present(properties) => [ResourcePropertyKind::Enabled, ResourcePropertyKind::Running]
            .into_iter()
            .all(|property| !is_on(properties, property)),
        Observation::Absent | Observation::Unreadable(_) | Observation::Unsafe(_) => true,
    }
}

fn is_on(properties: &ResourcePropertiesByKind, property: ResourcePropertyKind) -> bool {
    properties.get(&property) == Some(&ResourcePropertyValue::Flag(true))
}

impl ServiceResourceBody {
    /// For how many seconds it must run after it was started.
    pub fn settle_seconds(&self) -> u64 {
        self.settle.unwrap_or(DEFAULT_SETTLE_SECONDS)
    }

    /// Whether it is wanted on, at boot or now.
    pub(crate) fn is_wanted_running_or_enabled(&self) -> bool {
        self.enabled == Some(true) || self.running == Some(true)
    }

    /// Whether there is no unit of this service, and none can come. A folder without a system has only the
    /// units our packages bring; those of the operating system's own packages will never come.
    pub(crate) fn unit_cannot_exist_in_bare_folder(
        &self,
        observed: Option<&Observation<ResourcePropertiesByKind>>,
        host: &ObservedHost,
    ) -> bool {
        let absent = matches!(observed, None | Some(Observation::Absent));
        let system = host.family.is_some() || host.booted;
        *self != ServiceResourceBody::default() && absent && !system
    }
}

impl DesiredResource for ServiceResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        let enabled =
            self.enabled.map(|flag| (ResourcePropertyKind::Enabled, ResourcePropertyValue::Flag(flag)));
        let running =
            self.running.map(|flag| (ResourcePropertyKind::Running, ResourcePropertyValue::Flag(flag)));
        enabled.into_iter().chain(running).collect()
    }

    fn unsupported_reason(&self, host: &ObservedHost) -> Option<&'static str> {
        let only_running = self.enabled.is_none() && self.running.is_some();
        (only_running && !host.booted).then_some("is not started: systemd does not run here")
    }

    /// A service that is not there is off; punch makes none.
    fn must_be_created_if_absent(&self) -> bool {
        false
    }
}

impl Planner<'_> {
    /// Services of components whose payload changed run the old program until they are restarted, and
    /// commands' guards may answer differently.
    pub(crate) fn mark_services_of_changed_payloads_notified(
        &mut self,
        changed: &[Name],
        resources: &[ComponentAndResource<'_>],
    ) {
        let mut notifies = Vec::new();
        for (component, resource) in resources {
            if resource.id.kind == ResourceKind::Service && changed.contains(component) {
                self.notified.insert(resource.id.clone(), true);
                notifies.push(resource.id.clone());
            }
        }
        if let Some(change) = self.plan.changes.last_mut().filter(|_| !changed.is_empty()) {
            change.notifies = notifies;
        }
    }

    /// One restart for each notified service that runs and was not just started.
    pub(crate) fn plan_restarts_of_notified_services(&mut self, resources: &[ComponentAndResource<'_>]) {
        if !self.observed.booted {
            return;
        }
        let pending: Vec<ResourceId> = self.observed.managed.pending.iter().cloned().collect();
        for id in pending.into_iter().filter(|id| !self.blocked.contains_exclusive_resource(id)) {
            self.notified.entry(id).or_insert(true);
        }
        // What an unblocked component changed concerns its service, whoever describes that.
        let of_blocked: Vec<_> = self.blocked.exclusive_resources().collect();
        for (component, resource) in resources.iter().chain(&of_blocked) {
            let ResourceBody::Service(service) = &resource.body else { continue };
            let Some(restart) = self.notified.get(&resource.id) else { continue };
            let observed = self.observed.resources.get(&resource.id);
            let unit = matches!(observed, Some(Observation::Present(_)));
            // Debian's packages start their services as they are installed: before the files of this plan.
            let comes_started = self.os_packages && !unit && service.running == Some(true);
            let just_started = self.started.contains(&resource.id) || !is_service_running(observed);
            if (just_started && !comes_started) || service.running == Some(false) {
                continue;
            }
            let action = PlannedAction::Restart {
                service: resource.id.clone(),
                reload: service.reload && !restart,
                settle: service.settle_seconds(),
            };
            self.add_planned_change(action, [(*component).clone()].into(), Vec::new(), false);
        }
    }
}
