//! What belongs to root in a folder that a user owns: the user could replace it at any time.

use super::{Ownership, Resource, ResourceBody, ResourceId, ResourceKind};

/// Why a file or directory cannot be kept safe where it is described; `described` finds the directories above it.
pub(crate) fn root_owned_in_user_folder_reason<'r>(
    resource: &Resource,
    described: impl Fn(&ResourceId) -> Option<&'r Resource>,
) -> Option<String> {
    let is_root = |ownership: &Ownership| {
        ownership.owner.as_deref().is_none_or(|owner| owner == "root" || owner == "0")
    };
    if !is_root(resource.body.ownership()?) {
        return None;
    }
    let above = resource.id.name.rmatch_indices('/').map(|(at, _)| &resource.id.name[..at]);
    let (folder, owner) = above.filter(|folder| !folder.is_empty()).find_map(|folder| {
        let directory = described(&ResourceId::new(ResourceKind::Directory, folder))?;
        match &directory.body {
            ResourceBody::Directory(body) if directory.present && !is_root(&body.ownership) => {
                Some((folder, body.ownership.owner.as_deref()?))
            }
            _ => None,
        }
    })?;
    Some(format!(
        "{owner} can change {folder}, and what belongs to root cannot be kept safe there; give it `owner: {owner}`, or put it elsewhere"
    ))
}
