//! Verification of what is installed: files of packages that were changed on the host, and files that nobody
//! describes and that change units.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    component::deployment_package_name,
    observe::{ManagedState, Observation, PathDrift, PayloadDrift},
    plan::DesiredHost,
    resource::{ResourceKind, UNIT_SUFFIXES},
    version::Version,
};

use super::installed_files::{PayloadDriftRequest, VerifiedPayloads};
use crate::{Host, PunchStateFolder, PunchStateFolderError};

/// How the files of installed packages are compared with what the packages brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PayloadVerification {
    /// The content of a file is read only when the file looks other than when it was last found right, and once a week.
    #[default]
    Changed,
    /// The content of every file is read.
    Deep,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct VerifiedHost {
    pub(crate) drift: BTreeMap<String, PayloadDrift>,
    pub(crate) unit_overrides: Vec<String>,
    /// What is known of the files now, where that is news.
    pub(crate) news: Option<VerifiedPayloads>,
}

/// Compares the packages of `wanted` that are `installed` in the wanted version. One that cannot be compared becomes
/// unreadable.
pub(crate) fn verify_installed_payloads(
    host: &dyn Host,
    state: &PunchStateFolder,
    (wanted, managed): (&DesiredHost, &ManagedState),
    installed: &mut BTreeMap<String, Observation<Version>>,
    (verification, now_us): (PayloadVerification, i64),
) -> Result<VerifiedHost, PunchStateFolderError> {
    let all = wanted.components.iter().flat_map(|component| {
        let names = [component.name.to_string(), deployment_package_name(&component.name)];
        names.map(|name| (name, &component.version))
    });
    let packages: BTreeSet<String> = all
        .filter(|(name, version)| installed.get(name) == Some(&Observation::Present((*version).clone())))
        .map(|(name, _)| name)
        .collect();
    let resources = wanted.components.iter().flat_map(|component| &component.resources);
    let resources = resources.map(|resource| &resource.id);
    let described: BTreeSet<String> = resources
        .clone()
        .chain(managed.resources.iter().map(|made| &made.id))
        .filter_map(|id| id.occupied_path())
        .collect();
    // What a transaction that did not end left is not trusted to look as it should.
    let begun = state.load_begun_installations()?;
    let deep = match verification {
        PayloadVerification::Deep => packages.clone(),
        PayloadVerification::Changed => begun.keys().cloned().collect(),
    };
    let known = state.load_verified_payloads()?;
    let mut payloads = known.clone();
    let request = PayloadDriftRequest { packages: &packages, described: &described, deep: &deep, now_us };
    let mut drift = BTreeMap::new();
    if !packages.is_empty() {
        for (name, found) in host.observe_payload_drift(&request, &mut payloads) {
            match found {
                Ok(found) if found.is_empty() => (),
                Ok(found) => _ = drift.insert(name, found),
                Err(because) => _ = installed.insert(name, Observation::Unreadable(because)),
            }
        }
    }
    for (name, begun) in begun.iter().filter(|(name, _)| packages.contains(*name)) {
        for script in &begun.failed_scriptlets {
            let drift: &mut PayloadDrift = drift.entry(name.clone()).or_default();
            drift.entry(script.clone()).or_default().insert(PathDrift::FailedScriptlet);
        }
    }
    payloads.packages.retain(|name, _| packages.contains(name));
    let services = resources.filter(|id| id.kind == ResourceKind::Service).map(|id| id.name.to_string());
    let units = services.chain(payloads.paths().filter_map(packaged_unit).map(str::to_owned)).collect();
    let described = described.into_iter().chain(payloads.paths().map(str::to_owned)).collect();
    Ok(VerifiedHost {
        drift,
        unit_overrides: host.observe_unit_overrides(&units, &described),
        news: (payloads != known).then_some(payloads),
    })
}

/// The name of the unit that a path of a package describes.
fn packaged_unit(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let is_unit = folder.ends_with("/systemd/system") && UNIT_SUFFIXES.iter().any(|end| name.ends_with(end));
    is_unit.then_some(name)
}
