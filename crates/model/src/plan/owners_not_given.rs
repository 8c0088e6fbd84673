//! An ordinary user tries a deployment below a folder: owners and groups, which only root can give, are noted and not given.

use std::{borrow::Cow, collections::BTreeMap};

use super::{DesiredHost, planner::Planner};
use crate::{
    observe::ObservedHost,
    resource::{Ownership, Resource},
};

/// How many paths the plan names.
const NAMED_PATHS: usize = 3;

impl Planner<'_> {
    /// The resource without owner and group, if those cannot be given.
    pub(super) fn without_owners_that_cannot_be_given<'r>(
        &self,
        resource: &'r Resource,
    ) -> Cow<'r, Resource> {
        if !self.observed.cannot_give_files_to_any_user || stated_owner_and_group(resource).is_none() {
            return Cow::Borrowed(resource);
        }
        let mut resource = resource.clone();
        if let Some(ownership) = resource.body.ownership_mut() {
            (ownership.owner, ownership.group) = (None, None);
        }
        Cow::Owned(resource)
    }

    /// Says in the plan which owners are not given.
    pub(super) fn note_owners_that_cannot_be_given(&mut self, wanted: &DesiredHost) {
        let owners = find_owners_that_cannot_be_given(wanted, self.observed);
        if owners.is_empty() {
            return;
        }
        let mut named: Vec<String> =
            owners.iter().take(NAMED_PATHS).map(|(path, owner)| format!("{path} ({owner})")).collect();
        if owners.len() > NAMED_PATHS {
            named.push(format!("{} more", owners.len() - NAMED_PATHS));
        }
        self.plan.notes.push(format!("only root can give owners; here all is yours: {}", named.join(", ")));
    }
}

/// The owners that files and directories would have if root ran punch: `USER:GROUP` by path, with nothing for what is not
/// stated. None where owners can be given.
pub fn find_owners_that_cannot_be_given(
    wanted: &DesiredHost,
    observed: &ObservedHost,
) -> BTreeMap<String, String> {
    if !observed.cannot_give_files_to_any_user {
        return BTreeMap::new();
    }
    let resources = wanted.components.iter().flat_map(|component| &component.resources);
    resources
        .filter(|resource| resource.present)
        .filter_map(|resource| Some((resource.id.name.clone(), stated_owner_and_group(resource)?)))
        .collect()
}

/// `USER:GROUP`, if either is stated.
fn stated_owner_and_group(resource: &Resource) -> Option<String> {
    match resource.body.ownership()? {
        Ownership { owner: None, group: None, .. } => None,
        Ownership { owner, group, .. } => {
            Some([owner, group].map(|name| name.as_deref().unwrap_or_default()).join(":"))
        }
    }
}
