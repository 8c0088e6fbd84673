//! A host wrapper that masks secrets in all text from the host before it gets into a plan, a report, a
//! history or the terminal.

use std::{cmp::Reverse, collections::BTreeMap, path::PathBuf};

use model::{
    health::HealthProbe,
    manifest::DeploymentFiles,
    name::Name,
    node::Node,
    observe::{Fact, Observation, ObservationRequest, OsFamily, ResourceFacts},
    plan::PlannedChange,
    resource::ResourceId,
    value::Value,
    version::Version,
};

use super::{Host, HostError};

/// Shorter secrets are not masked: masking every `7` would make a text unreadable, and show where
/// the secret was.
const MIN_SECRET_LENGTH: usize = 4;
/// Of a secret with several lines each line of this length is masked too: programs like to quote one.
const MIN_SECRET_LINE_LENGTH: usize = 8;

/// A host whose output is masked for the secrets of its node files.
#[derive(Debug)]
pub struct SecretMasking<H> {
    host: H,
    /// The secret texts, longest first.
    secrets: Vec<String>,
}

impl<H> SecretMasking<H> {
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
    pub fn host(&mut self) -> &mut H {
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
            observed => observed,
        }
    }

    /// The content of a file that still has a secret in it is not shown in a diff.
    fn mask_facts(&self, mut facts: ResourceFacts) -> ResourceFacts {
        for fact in facts.values_mut() {
            if let Fact::Content(content) = fact
                && content
                    .text
                    .as_ref()
                    .is_some_and(|text| self.secrets.iter().any(|secret| text.contains(secret)))
            {
                content.text = None;
            }
        }
        facts
    }
}

impl<H: Host> Host for SecretMasking<H> {
    fn family(&self) -> Option<OsFamily> {
        self.host.family()
    }

    fn booted(&self) -> bool {
        self.host.booted()
    }

    fn runs_commands(&self) -> bool {
        self.host.runs_commands()
    }

    fn packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        self.host
            .packages(names)
            .into_iter()
            .map(|(name, observed)| (name, self.mask_observation(observed)))
            .collect()
    }

    fn deployment(&self, name: &Name) -> Observation<DeploymentFiles> {
        self.mask_observation(self.host.deployment(name))
    }

    fn resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourceFacts>> {
        let observed = self.host.resources(request).into_iter();
        observed
            .map(|(id, observed)| match observed {
                Observation::Present(facts) => (id, Observation::Present(self.mask_facts(facts))),
                observed => (id, self.mask_observation(observed)),
            })
            .collect()
    }

    fn apply(&mut self, change: &PlannedChange, packages: &[PathBuf]) -> Result<Option<String>, HostError> {
        match self.host.apply(change, packages) {
            Ok(message) => Ok(message.map(|message| self.mask(message))),
            Err(error) => Err(HostError::Other(self.mask(error.to_string()))),
        }
    }

    fn settle(&mut self) -> Result<(), HostError> {
        self.host.settle().map_err(|error| HostError::Other(self.mask(error.to_string())))
    }

    fn probe(&self, probe: &HealthProbe) -> Result<(), String> {
        self.host.probe(probe).map_err(|message| self.mask(message))
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
