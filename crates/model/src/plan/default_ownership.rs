//! Owner, group and mode that a manifest leaves open, of what punch made: they have the values of a new file or directory,
//! whatever an earlier version said or somebody did since.

use std::borrow::Cow;

use super::planner::Planner;
use crate::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Ownership, Resource, ResourceBody, ResourceKind},
};

/// The mode of a new file; one with a secret in it has a stated mode always.
const NEW_FILE_MODE: u32 = 0o644;
/// The mode of a new directory.
const NEW_DIRECTORY_MODE: u32 = 0o755;

impl Planner<'_> {
    /// The resource with the defaults of what it leaves open, if punch made it in an earlier run and it is there. What was
    /// there before punch keeps what is not stated.
    pub(super) fn with_defaults_if_made_by_punch<'r>(
        &self,
        resource: &'r Resource,
        observed: &Observation<ResourcePropertiesByKind>,
    ) -> Cow<'r, Resource> {
        let Observation::Present(properties) = observed else { return Cow::Borrowed(resource) };
        if !self.made.contains(&resource.id) {
            return Cow::Borrowed(resource);
        }
        match (&resource.body, resource.body.ownership()) {
            (ResourceBody::User(user), _) => self.with_default_user(resource, user, properties),
            (_, Some(stated)) => self.with_default_ownership(resource, stated, properties),
            _ => Cow::Borrowed(resource),
        }
    }

    fn with_default_ownership<'r>(
        &self,
        resource: &'r Resource,
        stated: &Ownership,
        properties: &ResourcePropertiesByKind,
    ) -> Cow<'r, Resource> {
        let belongs_to_another = |kind| match properties.get(&kind) {
            // Without names, root is a number.
            Some(ResourcePropertyValue::Text(name)) => name != "root" && name != "0",
            _ => false,
        };
        // Where an owner is stated, a new file's group is that of the folder or of the owner.
        let by_root = self.observed.acts_as_root && stated.owner.is_none() && stated.group.is_none();
        let default = |kind| (by_root && belongs_to_another(kind)).then(|| "root".to_owned());
        let mut completed = stated.clone();
        completed.owner = completed.owner.or_else(|| default(ResourcePropertyKind::Owner));
        completed.group = completed.group.or_else(|| default(ResourcePropertyKind::Group));
        if properties.contains_key(&ResourcePropertyKind::Mode) {
            completed.mode = completed.mode.or(Some(match resource.id.kind {
                ResourceKind::Directory => NEW_DIRECTORY_MODE,
                _ => NEW_FILE_MODE,
            }));
        }
        if completed == *stated {
            return Cow::Borrowed(resource);
        }
        let mut resource = resource.clone();
        if let Some(ownership) = resource.body.ownership_mut() {
            *ownership = completed;
        }
        Cow::Owned(resource)
    }
}
