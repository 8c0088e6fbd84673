//! What a manifest leaves open of a user that punch made: it is as of a new user, whatever an earlier version said. And the
//! groups that such users leave.

use std::{borrow::Cow, collections::BTreeMap};

use super::planner::Planner;
use crate::{
    observe::{
        Observation, ResourceCreatedByPunch, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    resource::{Resource, ResourceBody, ResourceId, ResourceKind, UserResourceBody},
};

/// The shell of a new system user; that of another is the host's choice.
const NEW_SYSTEM_USER_SHELL: &str = "/usr/sbin/nologin";

impl<'a> Planner<'a> {
    /// The user with the defaults of what is left open: its own group, no comment, a home named after it, and of the
    /// groups that punch made none. Whoever put it into another group meant that.
    pub(super) fn with_default_user<'r>(
        &self,
        resource: &'r Resource,
        stated: &UserResourceBody,
        properties: &ResourcePropertiesByKind,
    ) -> Cow<'r, Resource> {
        let name = &resource.id.name;
        let unless_so = |kind, default: String| match properties.get(&kind) {
            Some(ResourcePropertyValue::Text(text)) if *text != default => Some(default),
            _ => None,
        };
        let mut completed = stated.clone();
        completed.group = completed.group.or_else(|| unless_so(ResourcePropertyKind::Group, name.clone()));
        completed.comment =
            completed.comment.or_else(|| unless_so(ResourcePropertyKind::Comment, String::new()));
        completed.home =
            completed.home.or_else(|| unless_so(ResourcePropertyKind::Home, format!("/home/{name}")));
        if stated.system {
            let shell = || unless_so(ResourcePropertyKind::Shell, NEW_SYSTEM_USER_SHELL.to_owned());
            completed.shell = completed.shell.or_else(shell);
        }
        if let (None, Some(ResourcePropertyValue::Set(groups))) =
            (&stated.groups, properties.get(&ResourcePropertyKind::Groups))
        {
            let is_punchs =
                |group: &&String| self.made.contains(&ResourceId::new(ResourceKind::Group, group));
            if groups.iter().any(|group| is_punchs(&group)) {
                completed.groups = Some(groups.iter().filter(|group| !is_punchs(group)).cloned().collect());
            }
        }
        if completed == *stated {
            return Cow::Borrowed(resource);
        }
        Cow::Owned(Resource { body: ResourceBody::User(completed), ..resource.clone() })
    }

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
                    self.plan.notes.push(format!("{} is left: it is the primary group of {user}", group.id))
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
