//! Groups that are the primary group of users: they can be removed only after those users have got another.

use std::collections::BTreeMap;

use super::planner::Planner;
use crate::{
    observe::{Observation, ResourceCreatedByPunch, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceId, ResourceKind},
};

impl<'a> Planner<'a> {
    /// Whether a user that stays has this group as primary group now: it can be removed only when that is changed.
    pub(super) fn is_primary_group_of_staying_user(&self, id: &ResourceId) -> bool {
        id.kind == ResourceKind::Group && self.staying_users_with_primary_group(&id.name).next().is_some()
    }

    /// Plans the removal of the groups that users had as primary groups until now. One that a user keeps stays.
    pub(super) fn remove_groups_that_users_left(&mut self) {
        let groups: Vec<&'a ResourceCreatedByPunch> = std::mem::take(&mut self.groups_to_be_left);
        for group in groups {
            let changes = |user: &Resource| {
                self.plan.changes.iter().any(|change| change.is_change_of_resource(&user.id))
            };
            let kept_by = self.staying_users_with_primary_group(&group.id.name).find(|user| !changes(user));
            match kept_by.map(|user| user.id.clone()) {
                Some(user) => {
                    self.plan.notes.push(format!("{} stays: it is the primary group of {user}", group.id))
                }
                None => self.remove_managed(group, &BTreeMap::new()),
            }
        }
    }

    fn staying_users_with_primary_group<'s>(
        &'s self,
        group: &'s str,
    ) -> impl Iterator<Item = &'a Resource> + 's {
        let has_group = move |user: &&Resource| match self.observed.resources.get(&user.id) {
            Some(Observation::Present(properties)) => {
                let primary = properties.get(&ResourcePropertyKind::Group);
                matches!(primary, Some(ResourcePropertyValue::Text(name)) if name == group)
            }
            _ => false,
        };
        let users = self
            .wanted
            .values()
            .copied()
            .filter(|wanted| wanted.id.kind == ResourceKind::User && wanted.present);
        users.filter(has_group)
    }
}
