//! Refuses what belongs to root in a folder that a user owns: the user could replace it at any time.

use super::planner::Planner;
use crate::resource::{Ownership, Resource, ResourceBody, ResourceId, ResourceKind};

impl Planner<'_> {
    /// Why a file or directory cannot be kept safe where it is described.
    pub(super) fn root_owned_in_user_folder_reason(&self, resource: &Resource) -> Option<String> {
        let is_root = |ownership: &Ownership| {
            ownership.owner.as_deref().is_none_or(|owner| owner == "root" || owner == "0")
        };
        let ownership = match &resource.body {
            ResourceBody::File(file) => &file.ownership,
            ResourceBody::Directory(directory) => &directory.ownership,
            _ => return None,
        };
        if !is_root(ownership) {
            return None;
        }
        let above = resource.id.name.rmatch_indices('/').map(|(at, _)| &resource.id.name[..at]);
        let (folder, owner) = above.filter(|folder| !folder.is_empty()).find_map(|folder| {
            let described = self.wanted.get(&ResourceId::new(ResourceKind::Directory, folder))?;
            match &described.body {
                ResourceBody::Directory(directory) if described.present && !is_root(&directory.ownership) => {
                    Some((folder, directory.ownership.owner.as_deref()?))
                }
                _ => None,
            }
        })?;
        Some(format!(
            "{owner} can change {folder}, and what belongs to root cannot be kept safe there; give it `owner: {owner}`, or put it elsewhere"
        ))
    }
}
