//! The second look at what packages of this run may have touched.

use super::{Plan, blocked_components::BlockedComponents, order::ComponentAndResource, planner::Planner};
use crate::{name::Name, observe::ObservedHost, resource::Resource};

/// Plans what of `resources`, which were right before packages changed, is no longer right.
pub fn replan_resources_after_package_changes(
    resources: &[(Name, Resource)],
    observed: &ObservedHost,
) -> Plan {
    let owned: Vec<ComponentAndResource<'_>> =
        resources.iter().map(|(component, resource)| (component, resource)).collect();
    let mut planner = Planner::new(observed, &owned, BlockedComponents::default());
    for (component, resource) in &owned {
        let before = planner.plan.changes.len();
        planner.plan_resource((component, resource), &[]);
        // Its users read it before the packages changed, and it is unchanged again.
        for change in planner.plan.changes.iter_mut().skip(before).filter(|_| resource.present) {
            change.notifies.clear();
        }
    }
    planner.plan
}
