//! The plan as JSON: what `punch plan --json` prints and the back-office answers.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{BlockScope, Plan, display::PlanCounts};
use crate::{
    name::Name,
    observe::{ResourcePropertyKind, ResourcePropertyValue},
};

/// A plan, for programs.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    /// What would be done, in this order.
    pub changes: Vec<PlannedChangeView>,
    /// What cannot be decided.
    pub blocked: Vec<BlockedItemView>,
    /// What this host cannot be made or asked.
    pub notes: Vec<String>,
    /// Health checks at the end.
    pub health: Vec<String>,
    /// How many changes of each sort.
    pub counts: PlanCounts,
}

/// One change, for programs.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedChangeView {
    /// What is done: `create file:/etc/motd`.
    pub action: String,
    /// The components it is for.
    pub components: BTreeSet<Name>,
    /// What differs.
    pub differences: Vec<ResourcePropertyDifferenceView>,
    /// What is restarted or run because of it.
    pub notifies: Vec<String>,
}

/// One property that differs, for programs. Secrets have neither `before` nor `after`.
#[derive(Debug, Clone, Serialize)]
pub struct ResourcePropertyDifferenceView {
    /// Which property.
    // Programs know it by this name: the output is a format with a promise.
    #[serde(rename = "fact")]
    pub property: ResourcePropertyKind,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ResourcePropertyValue>,
    /// What it becomes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ResourcePropertyValue>,
    /// Whether it is hidden.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// Something that cannot be decided, for programs.
#[derive(Debug, Clone, Serialize)]
pub struct BlockedItemView {
    /// What.
    pub what: String,
    /// The components it is of.
    pub components: BTreeSet<Name>,
    /// Why.
    pub because: String,
    /// What is not changed because of it: the whole `run`, or only the `components`.
    pub scope: BlockScope,
}

/// The plan for programs.
pub fn plan_to_view(plan: &Plan) -> PlanView {
    let changes = plan.changes.iter().map(|change| PlannedChangeView {
        action: change.change_title_line(),
        components: change.components.clone(),
        differences: change
            .differences
            .iter()
            .map(|difference| ResourcePropertyDifferenceView {
                property: difference.property,
                before: difference.before.clone().filter(|_| !difference.secret),
                after: difference.after.clone().filter(|_| !difference.secret),
                secret: difference.secret,
            })
            .collect(),
        notifies: change.notifies.iter().map(ToString::to_string).collect(),
    });
    let blocked = plan.blocked.iter().map(|blocked| BlockedItemView {
        what: blocked.what.to_string(),
        components: blocked.components.clone(),
        because: blocked.because.clone(),
        scope: blocked.scope,
    });
    PlanView {
        changes: changes.collect(),
        blocked: blocked.collect(),
        notes: plan.notes.clone(),
        health: plan.health.iter().map(|(component, health)| format!("{health} ({component})")).collect(),
        counts: PlanCounts::count_plan_changes(plan),
    }
}
