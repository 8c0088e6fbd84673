//! An ordinary user tries a deployment below a folder: owners and groups, which only root can give, are noted and not given.

use std::{borrow::Cow, collections::BTreeMap};

use super::{DesiredHost, planner::Planner};
use crate::{
    observe::ObservedHost,
    resource::{Ownership, Resource, ResourceBody},
};

/// How many paths the plan names.
const NAMED_PATHS: usize = 3;

impl Planner<'_> {
    /// The resource without owner and group, if those cannot be given.
    pub(super) fn without_owners_that_cannot_be_given<'r>(
        &self,
        resource: &'r Resource,
    ) -> Cow<'r, Resource> {
        let stated = stated_ownership(resource);
        let is_stated = stated.is_some_and(|stated| stated.owner.is_some() || stated.group.is_some());
        if !self.observed.cannot_give_files_to_any_user || !is_stated {
            return Cow::Borrowed(resource);
        }
        let mut resource = resource.clone();
        let ownership = match &mut resource.body {
            ResourceBody::File(file) => &mut file.ownership,
            ResourceBody::Directory(directory) => &mut directory.ownership,
            _ => return Cow::Owned(resource),
        };
        (ownership.owner, ownership.group) = (None, None);
        Cow::Owned(resource)
    }

    /// Says in the plan which owners are not given.
    pub(super) fn note_owners_that_cannot_be_given(&mut self, wanted: &DesiredHost) {
        let owners = find_owners_that_cannot_be_given(wanted, self.observed);
        self.plan.notes.extend(owners_not_given_note(&owners));
    }
}

/// The owners that files and directories would have if root ran punch: `USER:GROUP` by path, with nothing for what is not
/// stated. None where owners can be given.
pub fn find_owners_that_cannot_be_given(
    wanted: &DesiredHost,
    observed: &ObservedHost,
) -> BTreeMap<String, String> {
    let resources = wanted.components.iter().flat_map(|component| &component.resources);
    resources
        .filter(|resource| observed.cannot_give_files_to_any_user && resource.present)
        .filter_map(|resource| {
            let Ownership { owner, group, .. } = stated_ownership(resource)?;
            if owner.is_none() && group.is_none() {
                return None;
            }
            let text = |name: &Option<String>| name.clone().unwrap_or_default();
            Some((resource.id.name.clone(), format!("{}:{}", text(owner), text(group))))
        })
        .collect()
}

/// The same as a sentence of the plan.
fn owners_not_given_note(owners: &BTreeMap<String, String>) -> Option<String> {
    if owners.is_empty() {
        return None;
    }
    let mut named: Vec<String> =
        owners.iter().take(NAMED_PATHS).map(|(path, owner)| format!("{path} ({owner})")).collect();
    if owners.len() > NAMED_PATHS {
        named.push(format!("{} more", owners.len() - NAMED_PATHS));
    }
    Some(format!("only root can give owners; here all is yours: {}", named.join(", ")))
}

fn stated_ownership(resource: &Resource) -> Option<&Ownership> {
    match &resource.body {
        ResourceBody::File(file) => Some(&file.ownership),
        ResourceBody::Directory(directory) => Some(&directory.ownership),
        _ => None,
    }
}
