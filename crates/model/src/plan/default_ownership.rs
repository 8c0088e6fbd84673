//! Owner, group and mode that a manifest leaves open. What punch made has the values of a new file or directory, whatever an
//! earlier version said or somebody did since; what was there before has those it had when punch changed them first.

use std::borrow::Cow;

use super::{PlannedAction, compare, planner::Planner};
use crate::{
    observe::{FileType, Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{DirectoryResourceBody, Ownership, Resource, ResourceBody, ResourceKind},
};

/// The mode of a new file; one with a secret in it has a stated mode always.
const NEW_FILE_MODE: u32 = 0o644;
/// The mode of a new directory.
const NEW_DIRECTORY_MODE: u32 = 0o755;

impl Planner<'_> {
    /// The resource with the defaults of what it leaves open, if it is there and punch made it, or changed its ownership,
    /// in an earlier run. All else keeps what is not stated.
    pub(super) fn with_defaults_of_what_is_not_stated<'r>(
        &self,
        resource: &'r Resource,
        observed: &Observation<ResourcePropertiesByKind>,
    ) -> Cow<'r, Resource> {
        let Observation::Present(properties) = observed else { return Cow::Borrowed(resource) };
        if !self.made.contains(&resource.id) {
            return self.with_ownership_before_punch(resource);
        }
        match (&resource.body, resource.body.ownership()) {
            (ResourceBody::User(user), _) => self.with_default_user(resource, user, properties),
            (_, Some(stated)) => self.with_default_ownership(resource, stated, properties),
            _ => Cow::Borrowed(resource),
        }
    }

    /// The resource with the owner, group and mode it had before, where it leaves open what an earlier version stated.
    /// Accounts that have left the host since are not asked for.
    fn with_ownership_before_punch<'r>(&self, resource: &'r Resource) -> Cow<'r, Resource> {
        let (Some(stated), Some(before)) =
            (resource.body.ownership(), self.observed.managed.ownership_before.get(&resource.id))
        else {
            return Cow::Borrowed(resource);
        };
        let completed = Ownership {
            owner: stated.owner.clone().or_else(|| before.owner.clone()),
            group: stated.group.clone().or_else(|| before.group.clone()),
            mode: stated.mode.or(before.mode),
        };
        let completed = with_ownership(resource, completed);
        match self.missing_owner_or_group_reason(&completed) {
            Some(_) => Cow::Borrowed(resource),
            None => completed,
        }
    }

    /// Plans that directories which no component describes any more have the owner, group and mode they had before. A
    /// file keeps all it has, as it keeps its content.
    pub(super) fn restore_ownership_of_directories_no_longer_described(&mut self) {
        let observed = self.observed;
        for (id, before) in &observed.managed.ownership_before {
            let seen = observed.resources.get(id).unwrap_or(&Observation::Absent);
            if id.kind != ResourceKind::Directory
                || self.wanted.contains_key(id)
                || self.blocked.contains_component(&before.component)
                || !is_directory(seen)
            {
                continue;
            }
            let resource = Resource {
                id: id.clone(),
                present: true,
                body: ResourceBody::Directory(DirectoryResourceBody { ownership: before.to_ownership() }),
                require: Vec::new(),
                notify: Vec::new(),
                secret: false,
            };
            let resource = self.without_owners_that_cannot_be_given(&resource).into_owned();
            if let Some(because) = self.missing_owner_or_group_reason(&resource) {
                self.plan.notes.push(format!("{id} keeps its owner, group and mode: {because}"));
                continue;
            }
            let differences = compare::find_differences_from_desired_properties(&resource, seen, observed);
            if !differences.is_empty() {
                let components = [before.component.clone()].into();
                let action = PlannedAction::Apply(Box::new(resource));
                self.add_planned_change(action, components, differences, false);
            }
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
        with_ownership(resource, completed)
    }
}

fn with_ownership(resource: &Resource, completed: Ownership) -> Cow<'_, Resource> {
    if resource.body.ownership() == Some(&completed) {
        return Cow::Borrowed(resource);
    }
    let mut resource = resource.clone();
    if let Some(ownership) = resource.body.ownership_mut() {
        *ownership = completed;
    }
    Cow::Owned(resource)
}

fn is_directory(seen: &Observation<ResourcePropertiesByKind>) -> bool {
    let Observation::Present(properties) = seen else { return false };
    properties.get(&ResourcePropertyKind::Type) == Some(&ResourcePropertyValue::Type(FileType::Directory))
}
