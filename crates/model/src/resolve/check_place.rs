//! Checks what one place says: its values against the declarations of the components, and the names it uses.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    evaluate::value_of_undeclared_parameter_fault,
    fault::{EstateFault, EstateFaultKind, EstateFaultOrWarning},
    place_usage::PlaceUsage,
    unknown_names,
};
use crate::{
    catalog::ComponentCatalog,
    component::Component,
    estate::{PlaceId, PlaceSettings, RemovedInheritedItem},
    fault::Severity,
    name::{Key, Name},
    suggest_spelling,
    value::Value,
};

/// What the settings of places are checked with.
pub(super) struct PlaceCheck<'c, 'a> {
    pub(super) catalog: &'c ComponentCatalog,
    pub(super) uses: &'c PlaceUsage<'a>,
    /// The components on which something is found already.
    pub(super) known: HashSet<(PlaceId, Name)>,
    /// What is found after it is set is incomplete.
    pub(super) is_cancelled: &'c AtomicBool,
}

impl PlaceCheck<'_, '_> {
    /// Checks the settings of one place against the versions they can apply to. Unless `whole`, only
    /// those are checked that apply to the resolved servers.
    pub(super) fn check_place(
        &self,
        place: &PlaceId,
        whole: bool,
        settings: &PlaceSettings,
        findings: &mut Vec<EstateFaultOrWarning>,
    ) {
        let Self { catalog, uses, is_cancelled, .. } = *self;
        let severity = if uses.used.contains(place) { Severity::Error } else { Severity::Warning };
        let named = settings.components.keys().chain(settings.versions.keys()).chain(settings.values.keys());
        let mut told = HashSet::new();
        for name in named {
            if !catalog.components.contains_key(name)
                && told.insert(name)
                && !self.known.contains(&(place.clone(), name.clone()))
            {
                findings
                    .push(unknown_names::unknown_component_fault_or_warning(catalog, severity, place, name));
            }
        }
        let is_checked = |name: &Name| whole || uses.chosen.contains_key(&(place.clone(), name));
        for (name, values) in settings.values.iter().filter(|(name, _)| is_checked(name)) {
            let applicable = applicable_versions(catalog, uses, place, name, settings);
            for (key, assignment) in values {
                if is_cancelled.load(Ordering::Relaxed) {
                    return;
                }
                findings.extend(check_value(catalog, place, &applicable, name, key, &assignment.value));
            }
        }
        for removal in &settings.remove {
            findings.extend(check_removal(catalog, place, &removal.what));
        }
    }
}

/// The versions whose parameters a place's values must fit: those chosen for its servers, else those
/// its own requirement allows, else all.
fn applicable_versions<'c>(
    catalog: &'c ComponentCatalog,
    uses: &PlaceUsage<'_>,
    place: &PlaceId,
    name: &Name,
    settings: &PlaceSettings,
) -> (Vec<&'c Component>, bool) {
    let Some(published) = catalog.components.get(name) else { return (Vec::new(), false) };
    if let Some(versions) = uses.chosen.get(&(place.clone(), name)) {
        let components = versions.iter().filter_map(|version| published.get(version));
        return (components.map(|published| &published.component).collect(), true);
    }
    let all = || published.values().map(|published| &published.component);
    let required: Vec<_> = match settings.components.get(name) {
        Some(requirement) => {
            all().filter(|component| requirement.range.contains_version(&component.version)).collect()
        }
        None => Vec::new(),
    };
    (if required.is_empty() { all().collect() } else { required }, false)
}

fn check_value(
    catalog: &ComponentCatalog,
    place: &PlaceId,
    applicable: &(Vec<&Component>, bool),
    name: &Name,
    key: &Key,
    value: &Value,
) -> Option<EstateFaultOrWarning> {
    let (components, chosen) = applicable;
    let wrong: Vec<EstateFault> = components
        .iter()
        .filter_map(|component| {
            let Some(parameter) = component.parameters.get(key) else {
                return Some(value_of_undeclared_parameter_fault(place.clone(), component, key));
            };
            // A parameter that is secret in any version is masked in the messages about all versions.
            let secret = || parameter.secret || catalog.find_secrecy_in_any_version(name, key) == Some(true);
            let message = parameter.check_unresolved_value_with_secrecy(value, true).err()?;
            let message =
                parameter.check_unresolved_value_with_secrecy(value, secret()).err().unwrap_or(message);
            let kind = EstateFaultKind::WrongValue { component: name.clone(), key: key.clone(), message };
            Some(EstateFault::new(place.clone(), kind).with_key(name, key))
        })
        .collect();
    let all = wrong.len() == components.len();
    let mut finding = wrong.into_iter().next_back()?.into_fault_or_warning();
    if !all && !chosen {
        finding.severity = Severity::Warning;
        finding.message.push_str(" (in some of its versions)");
    }
    Some(finding)
}

/// A removal of something that never existed is probably a mistake, but has no effect.
fn check_removal(
    catalog: &ComponentCatalog,
    place: &PlaceId,
    removal: &RemovedInheritedItem,
) -> Option<EstateFaultOrWarning> {
    let (name, key) = match removal {
        RemovedInheritedItem::Component(name) => (name, None),
        RemovedInheritedItem::Value(name, key) | RemovedInheritedItem::Entry(name, key, _) => {
            (name, Some(key))
        }
    };
    let hint = |near: Option<&str>| near.map(|near| format!("did you mean `{near}`?"));
    let (message, hint) = match (catalog.components.get(name), key) {
        (None, _) => {
            let near = suggest_spelling(name.as_str(), catalog.components.keys().map(Name::as_str));
            let message = format!("it removes `{removal}`, but the repository has no component `{name}`");
            (message, hint(near))
        }
        (Some(versions), Some(key)) => {
            let keys = || versions.values().flat_map(|published| published.component.parameters.keys());
            if keys().any(|known| known == key) {
                return None;
            }
            let near = suggest_spelling(key.as_str(), keys().map(Key::as_str));
            (format!("it removes `{removal}`, but `{name}` has no parameter `{key}`"), hint(near))
        }
        (Some(_), None) => return None,
    };
    Some(EstateFaultOrWarning {
        severity: Severity::Warning,
        place: place.clone(),
        component: Some(name.clone()),
        key: key.cloned(),
        list_entry: Some(removal.to_string()),
        message,
        hint,
    })
}
