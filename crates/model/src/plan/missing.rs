//! What a resource needs that no `require` names: accounts, folders, programs. What is not there yet is
//! fine as long as something in the plan can bring it.

use super::planner::Planner;
use crate::{
    observe::Observation,
    resource::{Resource, ResourceBody, ResourceId, ResourceKind},
};

impl Planner<'_> {
    /// Why a resource cannot be created: its owner or group will not exist.
    pub(super) fn missing_owner_or_group_reason(&self, resource: &Resource) -> Option<String> {
        let absent = |id: &ResourceId| self.observed.resources.get(id) == Some(&Observation::Absent);
        let missing = resource
            .required_accounts()
            .into_iter()
            .find(|id| absent(id) && !self.can_plan_provide_resource(id))?;
        Some(absent_prerequisite_hint(&missing))
    }

    /// Whether something in this plan brings what is not there yet.
    pub(crate) fn can_plan_provide_resource(&self, id: &ResourceId) -> bool {
        // What a package or a command brings cannot be known before.
        if self.brings {
            return true;
        }
        let wanted = |resource: &&Resource| resource.present;
        let mut wanted = self.wanted.values().copied().filter(wanted);
        match id.kind {
            ResourceKind::Group => wanted.any(|resource| match &resource.body {
                // A user of no other group gets one of its own.
                ResourceBody::User(user) => user.group.is_none() && resource.id.name == id.name,
                _ => resource.id == *id,
            }),
            ResourceKind::Directory | ResourceKind::File => {
                let beneath = format!("{}/", id.name);
                wanted.any(|resource| match (&resource.body, resource.id.occupied_path()) {
                    (ResourceBody::User(user), _) => user.home.as_ref() == Some(&id.name),
                    (_, Some(path)) => path == id.name || path.starts_with(&beneath),
                    _ => false,
                })
            }
            _ => wanted.any(|resource| resource.id == *id),
        }
    }
}

/// What to do about something that is not there and does not come.
pub(crate) fn absent_prerequisite_hint(id: &ResourceId) -> String {
    let ResourceId { kind, name } = id;
    match kind {
        ResourceKind::User | ResourceKind::Group => {
            let word = kind.manifest_keyword();
            format!("there is no {word} `{name}` on this host; add a `{word}: {name}` resource")
        }
        ResourceKind::Directory => {
            format!("there is no folder {name} on this host to run it in; add a `directory: {name}` resource")
        }
        _ => format!(
            "there is no {name} on this host, and nothing in this plan brings it; check its path, or add the package it comes with"
        ),
    }
}
