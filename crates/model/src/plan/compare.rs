//! What a resource must be like, as facts, and which of them differ from what was seen.

use super::FactDifference;
use crate::{
    observe::{FactKind, FactValue, FileDigestAndText, Observation, ObservedHost, ResourceFactsByKind},
    resource::Resource,
};

/// The facts a resource must show. What its manifest leaves open is not among them.
pub fn desired_facts(resource: &Resource) -> ResourceFactsByKind {
    resource.body.behaviour_of_resource().desired_facts()
}

/// How what was `observed` of `resource` differs from what it must be; it was observed as absent or present.
pub(super) fn find_differences_from_desired_facts(
    resource: &Resource,
    observed: &Observation<ResourceFactsByKind>,
    host: &ObservedHost,
) -> Vec<FactDifference> {
    let nothing = ResourceFactsByKind::new();
    let before = match observed {
        Observation::Present(facts) => facts,
        Observation::Absent | Observation::Unreadable(_) | Observation::Unsafe(_) => &nothing,
    };
    desired_facts(resource)
        .into_iter()
        .filter(|(fact, _)| host.booted || *fact != FactKind::Running)
        .filter(|(fact, after)| before.get(fact) != Some(after))
        .map(|(fact, after)| {
            // Facts with a few possible words reveal nothing about a secret.
            let secret = resource.secret && !matches!(fact, FactKind::Type | FactKind::Mode);
            FactDifference {
                fact,
                before: before.get(&fact).cloned().map(|before| displayable_fact(before, secret)),
                after: Some(displayable_fact(after, secret)),
                secret,
            }
        })
        .collect()
}

/// A fact fit for a plan: of a secret content not even the text is kept.
fn displayable_fact(fact: FactValue, secret: bool) -> FactValue {
    match fact {
        FactValue::Content(content) if secret => {
            FactValue::Content(FileDigestAndText { text: None, ..content })
        }
        fact => fact,
    }
}
