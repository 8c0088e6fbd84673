//! A host wrapper that masks secrets in all text from the host before it gets into a plan, a report, a
//! history or the terminal.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
};

use model::{
    health::HealthProbe,
    node::Node,
    observe::{
        Observation, ObservationRequest, OsFamily, PayloadDrift, ResourcePropertiesByKind,
        ResourcePropertyValue,
    },
    plan::PlannedChange,
    report::RepairOfInterruptedWork,
    resource::ResourceId,
    value::Value,
    version::Version,
};

use super::{Host, HostError};
use crate::payload::{
    PayloadDriftRequest, VerifiedPayloads,
    observed_paths::{ObservedPackagePaths, PackagePathsRequest},
};

/// Shorter secrets are not masked: masking every `7` would make a text unreadable, and show where
/// the secret was.
const MIN_SECRET_LENGTH: usize = 4;
/// Of a secret with several lines each line of this length is masked too: programs like to quote one.
const MIN_SECRET_LINE_LENGTH: usize = 8;

/// A host whose output is masked for the secrets of its node files.
#[derive(Debug)]
pub struct SecretMaskingHost<H> {
    host: H,
    /// The secret texts, longest first.
    secrets: Vec<String>,
}

impl<H> SecretMaskingHost<H> {
    /// Masks all secrets of `nodes`: of the wanted one, and of the one applied before.
    pub fn new<'a>(host: H, nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut secrets = Vec::new();
        let values = nodes.into_iter().flat_map(|node| node.components.values());
        for value in values.flat_map(|component| component.values.values()).filter(|value| value.secret) {
            collect_secret_texts(&value.value, &mut secrets);
        }
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        secrets.dedup();
        Self { host, secrets }
    }

    /// The host itself.
    pub fn inner_host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    fn mask(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), "******"),
            false => text,
        })
    }

    fn mask_observation<T>(&self, observed: Observation<T>) -> Observation<T> {
        match observed {
            Observation::Unreadable(because) => Observation::Unreadable(self.mask(because)),
            Observation::Unsafe(because) => Observation::Unsafe(self.mask(because)),
            observed => observed,
        }
    }

    /// The content of a file that still has a secret in it is not shown in a diff.
    fn mask_properties(&self, mut properties: ResourcePropertiesByKind) -> ResourcePropertiesByKind {
        for property in properties.values_mut() {
            if let ResourcePropertyValue::Content(content) = property
                && content
                    .text
                    .as_ref()
                    .is_some_and(|text| self.secrets.iter().any(|secret| text.contains(secret)))
            {
                content.text = None;
            }
        }
        properties
    }
}

impl<H: Host> Host for SecretMaskingHost<H> {
    fn os_family(&self) -> Option<OsFamily> {
        self.host.os_family()
    }

    fn is_systemd_running(&self) -> bool {
        self.host.is_systemd_running()
    }

    fn is_shutting_down(&self) -> bool {
        self.host.is_shutting_down()
    }

    fn can_run_commands(&self) -> bool {
        self.host.can_run_commands()
    }

    fn can_give_files_to_any_user(&self) -> bool {
        self.host.can_give_files_to_any_user()
    }

    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        self.host
            .observe_component_packages(names)
            .into_iter()
            .map(|(name, observed)| (name, self.mask_observation(observed)))
            .collect()
    }

    fn observe_package_paths(
        &self,
        request: &PackagePathsRequest<'_>,
    ) -> Result<ObservedPackagePaths, HostError> {
        self.host.observe_package_paths(request)
    }

    fn observe_payload_drift(
        &self,
        request: &PayloadDriftRequest<'_>,
        known: &mut VerifiedPayloads,
    ) -> BTreeMap<String, Result<PayloadDrift, String>> {
        self.host.observe_payload_drift(request, known)
    }

    fn observe_unit_overrides(&self, units: &BTreeSet<String>, described: &BTreeSet<String>) -> Vec<String> {
        self.host.observe_unit_overrides(units, described)
    }

    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> {
        let observed = self.host.observe_resources(request).into_iter();
        observed
            .map(|(id, observed)| match observed {
                Observation::Present(properties) => {
                    (id, Observation::Present(self.mask_properties(properties)))
                }
                observed => (id, self.mask_observation(observed)),
            })
            .collect()
    }

    fn remove_temporary_files(&mut self, resources: &BTreeSet<ResourceId>) -> Result<(), HostError> {
        self.host.remove_temporary_files(resources)
    }

    fn open_file_to_save(&self, id: &ResourceId) -> Result<Option<File>, HostError> {
        self.host.open_file_to_save(id)
    }

    fn repair_interrupted_work(&mut self, thorough: bool) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
        self.host.repair_interrupted_work(thorough)
    }

    fn apply_change(
        &mut self,
        change: &PlannedChange,
        packages: &[PathBuf],
    ) -> Result<Option<String>, HostError> {
        match self.host.apply_change(change, packages) {
            Ok(message) => Ok(message.map(|message| self.mask(message))),
            Err(HostError::UnsafePath { path, because }) => {
                Err(HostError::UnsafePath { path: self.mask(path), because: self.mask(because) })
            }
            // It has only the names of accounts and programs.
            Err(error @ HostError::AccountInUse { .. }) => Err(error),
            Err(error @ HostError::Scriptlets { .. }) => Err(error),
            Err(error) => Err(HostError::Other(self.mask(error.to_string()))),
        }
    }

    fn finish_deferred_work(&mut self) -> Result<(), HostError> {
        self.host.finish_deferred_work().map_err(|error| match error {
            HostError::ServicesDoNotStayUp { failed } => HostError::ServicesDoNotStayUp {
                failed: failed.into_iter().map(|(name, why)| (name, self.mask(why))).collect(),
            },
            error => HostError::Other(self.mask(error.to_string())),
        })
    }

    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String> {
        self.host.run_health_probe(probe).map_err(|message| self.mask(message))
    }
}

fn collect_secret_texts(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Text(text) => {
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= MIN_SECRET_LINE_LENGTH);
            secrets.extend(lines.map(str::to_owned));
            secrets.extend(Some(text.trim().to_owned()).filter(|text| text.len() >= MIN_SECRET_LENGTH));
        }
        Value::Integer(number) => {
            secrets.extend(Some(number.to_string()).filter(|text| text.len() >= MIN_SECRET_LENGTH));
        }
        Value::List(list) => list.iter().for_each(|value| collect_secret_texts(value, secrets)),
        Value::Map(map) => map.values().for_each(|value| collect_secret_texts(value, secrets)),
        Value::Null | Value::Boolean(_) | Value::Number(_) => (),
    }
}
