//! Owner, group and mode that a manifest leaves open, of what punch made: they have the values of a new file or directory,
//! whatever an earlier version said or somebody did since.

use std::borrow::Cow;

use crate::{
    observe::{
        Observation, ObservedHost, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue,
    },
    resource::{Resource, ResourceBody},
};

/// The mode of a new file; one with a secret in it has a stated mode always.
const NEW_FILE_MODE: u32 = 0o644;
/// The mode of a new directory.
const NEW_DIRECTORY_MODE: u32 = 0o755;

/// The resource with the defaults of what it leaves open, if punch made it and it is there. What was there before punch
/// keeps what is not stated.
pub(super) fn complete_ownership_of_resource_made_by_punch<'r>(
    resource: &'r Resource,
    observed: &Observation<ResourcePropertiesByKind>,
    (host, made_by_punch): (&ObservedHost, bool),
) -> Cow<'r, Resource> {
    let Observation::Present(properties) = observed else { return Cow::Borrowed(resource) };
    let (stated, mode) = match &resource.body {
        ResourceBody::File(file) => (&file.ownership, NEW_FILE_MODE),
        ResourceBody::Directory(directory) => (&directory.ownership, NEW_DIRECTORY_MODE),
        _ => return Cow::Borrowed(resource),
    };
    if !made_by_punch {
        return Cow::Borrowed(resource);
    }
    let belongs_to_another = |kind| match properties.get(&kind) {
        // Without names, root is a number.
        Some(ResourcePropertyValue::Text(name)) => name != "root" && name != "0",
        _ => false,
    };
    // Where an owner is stated, a new file's group is that of the folder or of the owner.
    let by_root = host.acts_as_root && stated.owner.is_none() && stated.group.is_none();
    let default = |kind| (by_root && belongs_to_another(kind)).then(|| "root".to_owned());
    let mut completed = stated.clone();
    completed.owner = completed.owner.or_else(|| default(ResourcePropertyKind::Owner));
    completed.group = completed.group.or_else(|| default(ResourcePropertyKind::Group));
    if properties.contains_key(&ResourcePropertyKind::Mode) {
        completed.mode = completed.mode.or(Some(mode));
    }
    if completed == *stated {
        return Cow::Borrowed(resource);
    }
    let mut resource = resource.clone();
    match &mut resource.body {
        ResourceBody::File(file) => file.ownership = completed,
        ResourceBody::Directory(directory) => directory.ownership = completed,
        _ => (),
    }
    Cow::Owned(resource)
}
