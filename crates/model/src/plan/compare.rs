//! What a resource must be like, as properties, and which of them differ from what was seen.

use super::ResourcePropertyDifference;
use crate::{
    observe::{
        FileDigestAndText, Observation, ObservedHost, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    resource::Resource,
};

/// The properties a resource must show. What its manifest leaves open is not among them.
pub fn desired_resource_properties(resource: &Resource) -> ResourcePropertiesByKind {
    resource.body.as_desired_resource().desired_properties()
}

/// How what was `observed` of `resource` differs from what it must be; it was observed as absent or present.
pub(super) fn find_differences_from_desired_properties(
    resource: &Resource,
    observed: &Observation<ResourcePropertiesByKind>,
    host: &ObservedHost,
) -> Vec<ResourcePropertyDifference> {
    let nothing = ResourcePropertiesByKind::new();
    let before = match observed {
        Observation::Present(properties) => properties,
        Observation::Absent | Observation::Unreadable(_) | Observation::Unsafe(_) => &nothing,
    };
    desired_resource_properties(resource)
        .into_iter()
        .filter(|(property, _)| host.booted || *property != ResourcePropertyKind::Running)
        .filter(|(property, after)| before.get(property) != Some(after))
        .map(|(property, after)| {
            // Properties with a few possible words reveal nothing about a secret.
            let secret = resource.secret
                && !matches!(property, ResourcePropertyKind::Type | ResourcePropertyKind::Mode);
            ResourcePropertyDifference {
                property,
                before: before.get(&property).cloned().map(|before| displayable_property(before, secret)),
                after: Some(displayable_property(after, secret)),
                secret,
            }
        })
        .collect()
}

/// A property fit for a plan: of a secret content not even the text is kept.
fn displayable_property(property: ResourcePropertyValue, secret: bool) -> ResourcePropertyValue {
    match property {
        ResourcePropertyValue::Content(content) if secret => {
            ResourcePropertyValue::Content(FileDigestAndText { text: None, ..content })
        }
        property => property,
    }
}
