//! In which order resources are applied: as written, refined by what requires what.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    name::Name,
    resource::{Resource, ResourceId},
};

/// A resource with the component it is of.
pub(crate) type ComponentAndResource<'a> = (&'a Name, &'a Resource);

/// Sorts resources so that what is required comes first, keeping the written order otherwise.
/// A cycle is returned as the resources on it.
pub(super) fn sort_resources_by_requirements<'a>(
    resources: &[ComponentAndResource<'a>],
) -> Result<Vec<ComponentAndResource<'a>>, Vec<ResourceId>> {
    let index: BTreeMap<&ResourceId, usize> =
        resources.iter().enumerate().map(|(at, (_, resource))| (&resource.id, at)).collect();
    let mut first: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); resources.len()];
    for (at, (_, resource)) in resources.iter().enumerate() {
        let other = |id: &ResourceId| index.get(id).copied().filter(|other| *other != at);
        first[at].extend(resource.require.iter().filter_map(other));
        for implied in resource
            .body
            .as_desired_resource()
            .implied_requirements(&resource.id.name)
            .iter()
            .filter_map(other)
        {
            // What goes away goes in the opposite order: files before the folder they are in.
            match (resource.present, resources[implied].1.present) {
                (true, true) => _ = first[at].insert(implied),
                (false, false) => _ = first[implied].insert(at),
                _ => (),
            }
        }
        for notified in &resource.notify {
            if let Some(notified) = index.get(notified).filter(|notified| **notified != at) {
                first[*notified].insert(at);
            }
        }
    }
    let mut sorted = Vec::with_capacity(resources.len());
    let mut state = vec![Visit::New; resources.len()];
    // An explicit stack: a long chain of requirements must not exhaust the thread's.
    for start in 0..resources.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            match state[at] {
                Visit::Done => {
                    stack.pop();
                }
                Visit::New => {
                    state[at] = Visit::Open;
                    for &before in first[at].iter().rev() {
                        match state[before] {
                            Visit::Done => (),
                            Visit::New => stack.push(before),
                            Visit::Open => return Err(cycle(&first, before, resources)),
                        }
                    }
                }
                Visit::Open => {
                    state[at] = Visit::Done;
                    sorted.push(resources[at]);
                    stack.pop();
                }
            }
        }
    }
    Ok(sorted)
}

/// The resources that must be there before payloads are installed, and all they require.
pub(super) fn resources_needed_before_payloads(
    resources: &[ComponentAndResource<'_>],
) -> BTreeSet<ResourceId> {
    let by_id: BTreeMap<&ResourceId, &Resource> =
        resources.iter().map(|(_, resource)| (&resource.id, *resource)).collect();
    let mut todo: Vec<&Resource> = resources
        .iter()
        .map(|(_, resource)| *resource)
        .filter(|resource| resource.id.kind.definition_of_kind().before_payloads && resource.present)
        .collect();
    let mut found = BTreeSet::new();
    while let Some(resource) = todo.pop() {
        if found.insert(resource.id.clone()) {
            todo.extend(resource.require.iter().filter_map(|id| by_id.get(id).copied()));
        }
    }
    found
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// The cycle through `start`, by the shortest way.
fn cycle(first: &[BTreeSet<usize>], start: usize, resources: &[ComponentAndResource<'_>]) -> Vec<ResourceId> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut todo = std::collections::VecDeque::from([start]);
    while let Some(at) = todo.pop_front() {
        for &before in &first[at] {
            if before == start {
                // Back along the way that was found: `start` comes after the one before it, and so on.
                let mut path = vec![at];
                path.extend(std::iter::successors(from.get(&at), |step| from.get(step)));
                path.reverse();
                return path.into_iter().map(|at| resources[at].1.id.clone()).collect();
            }
            from.entry(before).or_insert_with(|| {
                todo.push_back(before);
                at
            });
        }
    }
    vec![resources[start].1.id.clone()]
}
