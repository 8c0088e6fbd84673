//! What a host is asked before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};

use super::{ManagedState, Observation};
use crate::{
    component::deployment_package_name,
    node::Node,
    plan::{DesiredComponentWithResources, DesiredHost},
    resource::{Resource, ResourceBody, ResourceId},
    version::Version,
};

/// The resources a host is asked about, in one go.
#[derive(Debug, Clone, Default)]
pub struct ObservationRequest<'a> {
    /// What is described: compared with its description, and observed as far as that goes.
    pub wanted: Vec<&'a Resource>,
    /// Others: what was made earlier, and what is only spoken of.
    pub others: BTreeSet<ResourceId>,
    /// What leaves in the same run: the numbers of these accounts become free.
    pub leaving: BTreeSet<ResourceId>,
    /// Commands whose component goes back to an older version: their downgrade guards are asked.
    pub downgraded: BTreeSet<ResourceId>,
}

impl<'a> ObservationRequest<'a> {
    /// All that the plan of `desired` on a host with `managed` needs to know.
    pub fn new(desired: &'a DesiredHost, managed: &ManagedState) -> Self {
        let wanted: Vec<&Resource> =
            desired.components.iter().flat_map(|component| &component.resources).collect();
        let made = managed.resources.iter().flat_map(|made| made.notify.iter().chain([&made.id]));
        // Services that earlier runs notified are observed too, even when they are no longer described.
        let made = made.chain(&managed.pending).cloned();
        let accounts = wanted.iter().flat_map(|resource| resource.required_accounts());
        let changed = managed.ownership_before.iter().flat_map(|(id, before)| {
            let accounts = before.to_ownership().owner_and_group_accounts().into_iter();
            accounts.filter(|account| account.name != "root").chain([id.clone()])
        });
        let others = made.chain(accounts).chain(changed).collect();
        let present: BTreeSet<&ResourceId> =
            wanted.iter().filter(|resource| resource.present).map(|resource| &resource.id).collect();
        let absent = wanted.iter().filter(|resource| !resource.present).map(|resource| &resource.id);
        let made = managed.resources.iter().map(|made| &made.id);
        let leaving = made.chain(absent).filter(|id| !present.contains(id)).cloned().collect();
        Self { wanted, others, leaving, downgraded: BTreeSet::new() }
    }

    /// Has the downgrade guards asked of the components whose payload is `installed` in a newer version than the wanted.
    pub fn ask_downgrade_guards(
        mut self,
        desired: &DesiredHost,
        installed: &BTreeMap<String, Observation<Version>>,
    ) -> Self {
        let goes_back = |component: &&DesiredComponentWithResources| {
            let installed = installed.get(component.name.as_str());
            matches!(installed, Some(Observation::Present(version)) if *version > component.version)
        };
        let resources =
            desired.components.iter().filter(goes_back).flat_map(|component| &component.resources);
        let has_guard = |resource: &&Resource| match &resource.body {
            ResourceBody::Exec(exec) => exec.downgrade_guard.is_some(),
            _ => false,
        };
        self.downgraded = resources.filter(has_guard).map(|resource| resource.id.clone()).collect();
        self
    }

    /// Asks about these resources and nothing else.
    pub fn request_for_only_these_resources(wanted: impl IntoIterator<Item = &'a Resource>) -> Self {
        Self { wanted: wanted.into_iter().collect(), ..Self::default() }
    }
}

/// The packages whose installed versions must be known: those of the node's components, and those punch
/// installed earlier.
pub fn node_and_managed_package_names(node: &Node, managed: &ManagedState) -> Vec<String> {
    let wanted = node.components.keys().flat_map(|name| [name.to_string(), deployment_package_name(name)]);
    let names: BTreeSet<String> = wanted.chain(managed.packages.keys().cloned()).collect();
    names.into_iter().collect()
}
