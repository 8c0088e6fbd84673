//! Findings on names that the catalog does not have: channels and components.

use super::fault::EstateFaultOrWarning;
use crate::{catalog::ComponentCatalog, estate::PlaceId, fault::Severity, name::Name, suggest_spelling};

/// A channel may be created later, unless a server needs a component of it now.
pub(super) fn find_unknown_channel(
    catalog: &ComponentCatalog,
    place: &PlaceId,
    channel: &Name,
    is_needed: bool,
) -> Option<EstateFaultOrWarning> {
    if catalog.channels.contains_key(channel) {
        return None;
    }
    let near = suggest_spelling(channel.as_str(), catalog.channels.keys().map(Name::as_str));
    Some(EstateFaultOrWarning {
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
pub(super) fn unknown_component_fault_or_warning(
    catalog: &ComponentCatalog,
    severity: Severity,
    place: &PlaceId,
    name: &Name,
) -> EstateFaultOrWarning {
    let hint = match suggest_spelling(name.as_str(), catalog.components.keys().map(Name::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "publish it first".to_owned(),
    };
    EstateFaultOrWarning {
        severity,
        place: place.clone(),
        component: Some(name.clone()),
        key: None,
        list_entry: None,
        message: format!("the repository has no component `{name}`"),
        hint: Some(hint),
    }
}
