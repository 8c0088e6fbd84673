//! Merges the descriptions of a resource that several components declare.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use super::{BlockScope, BlockedItem, BlockedSubject, DesiredComponentWithResources};
use crate::{
    name::Name,
    resource::{Resource, ResourceBody, ResourceId},
};

/// A resource with the component it is of; a copy where several descriptions were joined.
pub(super) type ComponentAndMergedResource<'a> = (&'a Name, Cow<'a, Resource>);

/// All resources, each once. Two components may well need the same package of the system: equal
/// descriptions become one that requires and notifies what each of them does. Others block.
pub(super) fn merge_or_block_duplicate_resources<'a>(
    components: impl Iterator<Item = &'a DesiredComponentWithResources>,
) -> (Vec<ComponentAndMergedResource<'a>>, Vec<BlockedItem>) {
    let mut once: Vec<ComponentAndMergedResource<'a>> = Vec::new();
    let mut blocked = Vec::new();
    let mut first: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    for component in components {
        for resource in &component.resources {
            let at = match first.entry(&resource.id) {
                Entry::Vacant(place) => {
                    place.insert(once.len());
                    once.push((&component.name, Cow::Borrowed(resource)));
                    continue;
                }
                Entry::Occupied(place) => *place.get(),
            };
            let (other, described) = &mut once[at];
            if !merge_descriptions(described, resource) {
                let because = format!(
                    "components `{other}` and `{}` want it differently; let one of them describe it",
                    component.name
                );
                let what = BlockedSubject::Resource(resource.id.clone());
                let components = [(*other).clone(), component.name.clone()].into();
                blocked.push(BlockedItem { what, components, because, scope: BlockScope::Run });
            }
        }
    }
    blocked.extend(two_at_one_path(&once));
    (once, blocked)
}

/// Joins a second description to the first; whether they agree.
fn merge_descriptions(first: &mut Cow<'_, Resource>, second: &Resource) -> bool {
    let body = match (&first.body, &second.body) {
        (ResourceBody::Package(one), ResourceBody::Package(other)) => match one.merge_if_compatible(other) {
            Some(merged) => ResourceBody::Package(merged),
            None => return false,
        },
        (one, other) if one == other => one.clone(),
        _ => return false,
    };
    if first.present != second.present {
        return false;
    }
    let new = |ids: &[ResourceId], more: &[ResourceId]| -> Vec<ResourceId> {
        more.iter().filter(|id| !ids.contains(id)).cloned().collect()
    };
    let (require, notify) = (new(&first.require, &second.require), new(&first.notify, &second.notify));
    let body = (body != first.body).then_some(body);
    let secret = second.secret && !first.secret;
    if body.is_some() || secret || !require.is_empty() || !notify.is_empty() {
        let joined = first.to_mut();
        joined.body = body.unwrap_or_else(|| joined.body.clone());
        joined.secret |= secret;
        joined.require.extend(require);
        joined.notify.extend(notify);
    }
    true
}

/// A path cannot be two things: each run would undo what the one before did.
fn two_at_one_path(resources: &[ComponentAndMergedResource<'_>]) -> Vec<BlockedItem> {
    let mut first: BTreeMap<String, (&Name, &Resource)> = BTreeMap::new();
    let mut blocked = Vec::new();
    for (component, resource) in resources {
        let Some(path) = resource.id.occupied_path() else { continue };
        match first.entry(path) {
            Entry::Vacant(place) => _ = place.insert((component, resource)),
            Entry::Occupied(place) => {
                let (other, described) = place.get();
                if described.present || resource.present {
                    let because = format!(
                        "it is {} too (components `{other}` and `{component}`), and a path can only be one thing; take one of them out",
                        described.id
                    );
                    let what = BlockedSubject::Resource(resource.id.clone());
                    let components = [(*other).clone(), (*component).clone()].into();
                    blocked.push(BlockedItem { what, components, because, scope: BlockScope::Run });
                }
            }
        }
    }
    blocked
}
