//! What is never changed, whatever a manifest says: each blocks its component, with a sentence.

use super::ResourcePropertyDifference;
use crate::{
    observe::{Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    resource::{Resource, ResourceId, ResourceKind},
};

/// Who can change it can replace the state of punch.
const FOLDER_ABOVE_STATE: &str = "/var/lib/geppetto";
/// The files that punch itself keeps on a host.
const PATHS_OF_PUNCH: [&str; 3] =
    ["/var/lib/geppetto/punch", "/etc/geppetto/punch.yaml", "/etc/geppetto/trust"];

/// Why a resource cannot be described at all.
pub(super) fn refused_description_reason(id: &ResourceId) -> Option<String> {
    let path = id.occupied_path()?;
    let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    let own = match path.as_str() {
        FOLDER_ABOVE_STATE => FOLDER_ABOVE_STATE,
        _ => PATHS_OF_PUNCH.into_iter().find(|own| *own == path || below(&path, own))?,
    };
    Some(format!(
        "{own} is what punch itself keeps on this host, and no component changes that; take it out of the manifest"
    ))
}

/// Why a resource that differs like this is not changed.
pub(super) fn refused_change_reason(
    resource: &Resource,
    observed: &Observation<ResourcePropertiesByKind>,
    differences: &[ResourcePropertyDifference],
) -> Option<String> {
    let differs = |property| differences.iter().any(|difference| difference.property == property);
    let is_root = resource.id.name == "root";
    let account_facts = [
        ResourcePropertyKind::Uid,
        ResourcePropertyKind::Group,
        ResourcePropertyKind::Groups,
        ResourcePropertyKind::Home,
        ResourcePropertyKind::Shell,
        ResourcePropertyKind::Comment,
    ];
    match (resource.id.kind, account_facts.into_iter().find(|property| differs(*property))) {
        (ResourceKind::User, Some(property)) if is_root => {
            return Some(format!(
                "the {property} of user root is not changed: the host may need it to start; take it out of the manifest, or change it by hand with `usermod`"
            ));
        }
        (ResourceKind::Group, _) if is_root && differs(ResourcePropertyKind::Gid) => {
            return Some("the number of group root is always 0; take `gid` out of the manifest".to_owned());
        }
        _ => (),
    }
    immutable_reason(observed)
}

/// Why a resource is not removed.
pub(super) fn refused_removal_reason(
    id: &ResourceId,
    observed: &Observation<ResourcePropertiesByKind>,
) -> Option<String> {
    if matches!(id.kind, ResourceKind::User | ResourceKind::Group) && id.name == "root" {
        let word = id.kind.manifest_keyword();
        return Some(format!(
            "{word} root is never removed: no host works without it; take it out of the manifest"
        ));
    }
    immutable_reason(observed)
}

fn immutable_reason(observed: &Observation<ResourcePropertiesByKind>) -> Option<String> {
    let Observation::Present(properties) = observed else { return None };
    match properties.get(&ResourcePropertyKind::Immutable) {
        Some(ResourcePropertyValue::Unusable(because)) => Some(because.clone()),
        _ => None,
    }
}
