//! Folders that belong to a user of the host, who can change at any time what lies in them.

use std::collections::BTreeSet;

use super::DesiredHost;
use crate::{
    observe::{Observation, ObservedHost, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceBody, ResourceId, ResourceKind},
};

/// The folders of users other than root, as far as they are described or were observed.
#[derive(Debug, Default)]
pub struct FoldersOfUsers {
    paths: BTreeSet<String>,
}

impl FoldersOfUsers {
    /// The folders of users among what is `wanted` and what was `observed`.
    pub fn find_folders_of_users(wanted: &DesiredHost, observed: &ObservedHost) -> Self {
        let resources = wanted.components.iter().flat_map(|component| &component.resources);
        Self::among_resources(resources, observed)
    }

    pub(super) fn among_resources<'a>(
        wanted: impl IntoIterator<Item = &'a Resource>,
        observed: &ObservedHost,
    ) -> Self {
        let described = wanted.into_iter().filter_map(|resource| match &resource.body {
            ResourceBody::Directory(folder) => {
                folder.ownership.owner.as_ref().filter(|owner| !is_root(owner)).map(|_| &resource.id.name)
            }
            ResourceBody::User(user) => user.home.as_ref().filter(|_| !is_root(&resource.id.name)),
            _ => None,
        });
        let owned = observed.resources.iter().filter_map(|(id, observed)| match observed {
            Observation::Present(properties) if id.kind == ResourceKind::Directory => {
                match properties.get(&ResourcePropertyKind::Owner) {
                    Some(ResourcePropertyValue::Text(owner)) if !is_root(owner) => Some(&id.name),
                    _ => None,
                }
            }
            _ => None,
        });
        // The root folder is the home of some system users, and belongs to none of them.
        Self { paths: described.chain(owned).filter(|path| *path != "/").cloned().collect() }
    }

    /// Whether what this resource describes lies in a folder of a user, or is one.
    pub fn contains_resource(&self, id: &ResourceId) -> bool {
        let Some(path) = id.occupied_path() else { return false };
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.chain([path.as_str()]).any(|folder| self.paths.contains(folder))
    }
}

fn is_root(owner: &str) -> bool {
    owner == "root" || owner == "0"
}
