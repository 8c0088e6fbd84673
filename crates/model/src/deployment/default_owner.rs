//! The owner of what lies in a user's folder and says nothing of an owner.

use std::collections::BTreeMap;

use crate::resource::{Resource, ResourceBody};

/// Gives files and directories without a stated owner the owner of the nearest directory above them that
/// the same component describes with an owner other than root: nothing of root's is kept in a user's folder.
pub(crate) fn complete_owners_in_user_folders(resources: &mut [Resource]) {
    let owners: BTreeMap<String, String> = resources
        .iter()
        .filter(|resource| resource.present)
        .filter_map(|resource| match &resource.body {
            ResourceBody::Directory(directory) => {
                Some((resource.id.name.clone(), directory.ownership.owner.clone()?))
            }
            _ => None,
        })
        .collect();
    for resource in resources.iter_mut().filter(|resource| resource.present) {
        let Some(ownership) = resource.body.ownership_mut() else { continue };
        if ownership.owner.is_none() {
            let folders = resource.id.name.rmatch_indices('/').map(|(at, _)| &resource.id.name[..at]);
            let owner = folders.filter_map(|folder| owners.get(folder)).next();
            ownership.owner = owner.filter(|owner| *owner != "root" && *owner != "0").cloned();
        }
    }
}
