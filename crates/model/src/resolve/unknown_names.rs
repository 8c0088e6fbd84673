//! Findings on names that the catalog does not have: channels and components.

use super::fault::EstateFinding;
use crate::{catalog::Catalog, estate::PlaceId, fault::Severity, name::Name, suggest_spelling};

/// A channel may be created later, unless a server needs a component of it now.
pub(super) fn unknown_channel_finding(
    catalog: &Catalog,
    place: &PlaceId,
    channel: &Name,
    is_needed: bool,
) -> Option<EstateFinding> {
    if catalog.channels.contains_key(channel) {
        return None;
    }
    let near = suggest_spelling(channel.as_str(), catalog.channels.keys().map(Name::as_str));
    Some(EstateFinding {
        severity: if is_needed { Severity::Error } else { Severity::Warning },
        place: place.clone(),
        component: None,
        key: None,
        list_entry: Some(channel.to_string()),
        message: format!("there is no channel `{channel}`"),
        hint: near.map(|near| format!("did you mean `{near}`?")),
    })
}

/// A place requires, or sets values of, a component that was never published.
pub(super) fn unknown_component_finding(
    catalog: &Catalog,
    severity: Severity,
    place: &PlaceId,
    name: &Name,
) -> EstateFinding {
    let hint = match suggest_spelling(name.as_str(), catalog.components.keys().map(Name::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "publish it first".to_owned(),
    };
    EstateFinding {
        severity,
        place: place.clone(),
        component: Some(name.clone()),
        key: None,
        list_entry: None,
        message: format!("the repository has no component `{name}`"),
        hint: Some(hint),
    }
}
