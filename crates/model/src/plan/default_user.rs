//! What a manifest leaves open of a user that punch made: it is as of a new user, whatever an earlier version said.

use std::borrow::Cow;

use super::planner::Planner;
use crate::{
    observe::{ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind, UserResourceBody},
};

/// The shell of a new system user; that of another is the host's choice.
const NEW_SYSTEM_USER_SHELL: &str = "/usr/sbin/nologin";

impl Planner<'_> {
    /// The user with the defaults of what is left open: its own group, no comment, a home named after it, and of the
    /// groups that punch made none. Whoever put it into another group meant that.
    pub(super) fn with_default_user<'r>(
        &self,
        resource: &'r Resource,
        stated: &UserResourceBody,
        properties: &ResourcePropertiesByKind,
    ) -> Cow<'r, Resource> {
        let name = &resource.id.name;
        let default_if_different = |kind, default: String| match properties.get(&kind) {
            Some(ResourcePropertyValue::Text(text)) if *text != default => Some(default),
            _ => None,
        };
        let mut completed = stated.clone();
        completed.group =
            completed.group.or_else(|| default_if_different(ResourcePropertyKind::Group, name.clone()));
        completed.comment =
            completed.comment.or_else(|| default_if_different(ResourcePropertyKind::Comment, String::new()));
        completed.home = completed
            .home
            .or_else(|| default_if_different(ResourcePropertyKind::Home, format!("/home/{name}")));
        if stated.system {
            let shell =
                || default_if_different(ResourcePropertyKind::Shell, NEW_SYSTEM_USER_SHELL.to_owned());
            completed.shell = completed.shell.or_else(shell);
        }
        if let (None, Some(ResourcePropertyValue::Set(groups))) =
            (&stated.groups, properties.get(&ResourcePropertyKind::Groups))
        {
            let is_made_by_punch =
                |group: &&String| self.made.contains(&ResourceId::new(ResourceKind::Group, group));
            if groups.iter().any(|group| is_made_by_punch(&group)) {
                completed.groups =
                    Some(groups.iter().filter(|group| !is_made_by_punch(group)).cloned().collect());
            }
        }
        if completed == *stated {
            return Cow::Borrowed(resource);
        }
        Cow::Owned(Resource { body: ResourceBody::User(completed), ..resource.clone() })
    }
}
