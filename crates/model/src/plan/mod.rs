//! The plan: the observed state compared with the desired state. Complete before anything is changed.

mod blocked_components;
mod compare;
mod default_ownership;
mod default_user;
mod display;
mod irreversible;
mod merge_duplicates;
mod missing;
mod order;
mod owner_in_user_folder;
mod owners_not_given;
mod planner;
mod primary_groups;
mod recheck;
mod refusals;
mod remove;
mod user_folders;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    health::HealthCheck,
    name::Name,
    observe::{ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceId},
    version::Version,
};

pub use blocked_components::find_dependents_of_components;
pub use compare::desired_resource_properties;
pub use display::PlanCounts;
pub use irreversible::find_irreversible_steps_tried;
pub(crate) use missing::absent_prerequisite_hint;
pub(crate) use order::ComponentAndResource;
pub use owners_not_given::find_owners_that_cannot_be_given;
pub(crate) use planner::Planner;
pub use planner::plan_host_changes;
pub use recheck::replan_resources_after_package_changes;
pub use user_folders::FoldersOfUsers;
pub use view::{BlockedItemView, PlanView, PlannedChangeView, ResourcePropertyDifferenceView, plan_to_view};

/// What a host must be: a node's components with their deployments evaluated.
#[derive(Debug, Clone, Default)]
pub struct DesiredHost {
    /// Components in the order they are deployed (required ones first).
    pub components: Vec<DesiredComponentWithResources>,
}

/// One component a host must run.
#[derive(Debug, Clone)]
pub struct DesiredComponentWithResources {
    /// Its name.
    pub name: Name,
    /// Its exact version, release included.
    pub version: Version,
    /// The components it requires.
    pub requires: BTreeSet<Name>,
    /// Its resources, in manifest order.
    pub resources: Vec<Resource>,
    /// Its health checks.
    pub health: Vec<HealthCheck>,
}

/// What a plan may do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// How many components may leave, each with all it has, and resources be given up by those that stay.
    pub max_removals: usize,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self { max_removals: 5 }
    }
}

/// The smallest list of changes that makes a host what it must be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What is done, in this order.
    pub changes: Vec<PlannedChange>,
    /// What cannot be decided, and why. Blocked components have no changes in the plan; a plan that blocks the
    /// run is not applied.
    pub blocked: Vec<BlockedItem>,
    /// How many things were looked at and are right already.
    pub unchanged: usize,
    /// What this host cannot be made or asked, and therefore is not.
    pub notes: Vec<String>,
    /// Checks run at the end, with the component they are of.
    pub health: Vec<(Name, HealthCheck)>,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// What is done.
    pub action: PlannedAction,
    /// The components it is for: several for a package transaction, none for what no component describes any more.
    pub components: BTreeSet<Name>,
    /// What differs, and how.
    pub differences: Vec<ResourcePropertyDifference>,
    /// Whether it creates something: punch removes it when it is no longer wanted.
    pub creates: bool,
    /// Services restarted and commands run later in the plan because of this change.
    pub notifies: Vec<ResourceId>,
}

/// What is done in one change.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannedAction {
    /// Install or change to exactly these package versions, in one transaction.
    InstallPackages(BTreeMap<String, PackageToInstall>),
    /// Remove packages, in one transaction.
    RemovePackages {
        /// Which.
        names: Vec<String>,
        /// Packages this plan installs in another version later: until then they may need the removed ones.
        changing: BTreeSet<String>,
    },
    /// Make a resource what it must be.
    Apply(Box<Resource>),
    /// Remove a resource: because it must be absent, or because punch made it and it is no longer wanted.
    Remove {
        /// Which.
        id: ResourceId,
        /// Whether it must be gone afterwards: its absence is asked for, or something else comes in its
        /// place. What is merely no longer wanted is left where others need it.
        must: bool,
    },
    /// Look again at what was right, because packages changed since, and make right what no longer is.
    LookAgain(Vec<(Name, Resource)>),
    /// Restart (or reload) a service that was notified.
    Restart {
        /// Which.
        service: ResourceId,
        /// Reload instead.
        reload: bool,
        /// For how many seconds it must run afterwards.
        settle: u64,
    },
}

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageToInstall {
    /// Whose it is.
    pub component: Name,
    /// In which version.
    pub version: Version,
}

/// One property that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourcePropertyDifference {
    /// Which property.
    pub property: ResourcePropertyKind,
    /// What was seen; `None` when it is not there.
    pub before: Option<ResourcePropertyValue>,
    /// What it becomes; `None` when it goes away.
    pub after: Option<ResourcePropertyValue>,
    /// Whether neither may be shown.
    pub secret: bool,
}

/// Something that cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedItem {
    /// What.
    pub what: BlockedSubject,
    /// The components it is of.
    pub components: BTreeSet<Name>,
    /// Why, and what to do.
    pub because: String,
    /// What is not changed because of it.
    pub scope: BlockScope,
}

/// What a blocked item keeps from being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockScope {
    /// The whole run: nothing is changed.
    Run,
    /// Its components and those that depend on them.
    Components,
}

/// What can be blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockedSubject {
    /// A resource.
    Resource(ResourceId),
    /// A package of ours.
    Package(String),
    /// All removals together.
    Removals,
    /// A component that depends on a blocked one.
    Component(Name),
    /// That a component goes back to an older version, which its downgrade guard refuses.
    Downgrade(Name),
}

impl PlannedChange {
    /// The resource that is made, changed, removed or restarted, when it is one.
    pub fn changed_or_restarted_resource(&self) -> Option<&ResourceId> {
        match &self.action {
            PlannedAction::Apply(resource) => Some(&resource.id),
            PlannedAction::Remove { id, .. } | PlannedAction::Restart { service: id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether it makes, changes or removes this resource.
    pub fn is_change_of_resource(&self, id: &ResourceId) -> bool {
        match &self.action {
            PlannedAction::Apply(resource) => resource.id == *id,
            PlannedAction::Remove { id: removed, .. } => removed == id,
            _ => false,
        }
    }
}

impl Plan {
    /// Whether there is nothing to do and nothing is blocked.
    pub fn has_no_changes_or_blocks(&self) -> bool {
        self.changes.is_empty() && self.blocked.is_empty()
    }

    /// Whether something is blocked for which nothing may be changed.
    pub fn blocks_run(&self) -> bool {
        self.blocked.iter().any(|blocked| blocked.scope == BlockScope::Run)
    }

    /// The components that stay as they are; all others are made what they must be.
    pub fn blocked_components(&self) -> BTreeSet<Name> {
        self.blocked.iter().flat_map(|blocked| &blocked.components).cloned().collect()
    }
}
