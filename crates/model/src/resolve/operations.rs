//! The operations of all places on one parameter, strongest first, and which of them can take part in its value.

use std::sync::Arc;

use super::places_strongest_first::{PlaceWithSettings, PlacesStrongestFirst};
use crate::{
    estate::{PlaceId, RemovedInheritedItem, RevisionAndAuthor},
    format::dotted_path::join_with_escaped_dots,
    name::{Key, Name},
    node::ValueProvenanceEntry,
    parameter::{MergeStrategy, Parameter},
    value::Value,
};

/// One place's operation on a parameter, before references are replaced.
pub(super) struct ParameterOperationOfPlace<'a, 'l> {
    pub(super) place: &'l PlaceId,
    pub(super) what: ValueOrRemoval<'a>,
    pub(super) origin: Option<&'a RevisionAndAuthor>,
    /// Whether no stronger place overrides or removes it.
    pub(super) effective: bool,
}

/// A value or a removal.
#[derive(Clone, Copy)]
pub(super) enum ValueOrRemoval<'a> {
    Value(&'a Arc<Value>),
    /// Removes the values of all weaker places.
    RemoveAll,
    /// Removes one entry from the maps of weaker places.
    RemoveEntry(&'a [String]),
}

/// All operations of the layers `touching` on the parameter `key`, strongest first; the component's default, whose place
/// is `default`, comes last.
///
/// A removal concerns places, never the default: a list or map that is merged always has the default in it, unless
/// `joins_defaults` is false, and a value that is replaced falls back to the default when no place is left that sets one.
pub(super) fn collect_operations_on_parameter<'a, 'l>(
    stack: &'l PlacesStrongestFirst<'a>,
    (component, key, parameter): (&Name, &Key, &'a Parameter),
    touching: impl Iterator<Item = usize>,
    default: &'l PlaceId,
    joins_defaults: bool,
) -> Vec<ParameterOperationOfPlace<'a, 'l>> {
    let replace = parameter.merge == MergeStrategy::Replace;
    let effective_layers = stack.count_places_down_to_component_removal(component);
    let mut operations = Vec::new();
    let mut is_removed = false;
    let mut has_value = false;
    for at in touching {
        let PlaceWithSettings { place, settings } = &stack.layers[at];
        if let Some(assignment) = settings.values.get(component).and_then(|values| values.get(key)) {
            if at >= effective_layers && !is_removed {
                // A stronger place removes the whole component: its removal is the reason.
                let (place, origin) = stack.find_component_removal(component).unwrap_or((place, None));
                let what = ValueOrRemoval::RemoveAll;
                let effective = !(replace && has_value);
                operations.push(ParameterOperationOfPlace { place, what, origin, effective });
                is_removed = true;
            }
            let effective = !(is_removed || replace && has_value);
            has_value |= effective;
            let (what, origin) = (ValueOrRemoval::Value(&assignment.value), assignment.origin.as_ref());
            operations.push(ParameterOperationOfPlace { place, what, origin, effective });
        }
        // What one place removes is one thing: the order of its removals does not matter.
        let is_removed_by_stronger = is_removed;
        for removed in &settings.remove {
            let what = match &removed.what {
                RemovedInheritedItem::Value(name, of) if name == component && of == key => {
                    ValueOrRemoval::RemoveAll
                }
                RemovedInheritedItem::Entry(name, of, path) if name == component && of == key => {
                    ValueOrRemoval::RemoveEntry(path)
                }
                _ => continue,
            };
            let effective = !is_removed_by_stronger && at < effective_layers && !(replace && has_value);
            is_removed |= matches!(what, ValueOrRemoval::RemoveAll);
            operations.push(ParameterOperationOfPlace {
                place,
                what,
                origin: removed.origin.as_ref(),
                effective,
            });
        }
    }
    if let Some(value) = &parameter.default {
        let effective = !has_value || (!replace && joins_defaults);
        let what = ValueOrRemoval::Value(value);
        operations.push(ParameterOperationOfPlace { place: default, what, origin: None, effective });
    }
    operations
}

/// A removal has a part in the value if it takes something away: `with_part` are the removals of entries that do.
pub(super) fn mark_effective_removals(
    operations: &mut [ParameterOperationOfPlace<'_, '_>],
    with_part: &[usize],
) {
    for at in 0..operations.len() {
        let takes_away = match operations[at].what {
            ValueOrRemoval::Value(_) => continue,
            ValueOrRemoval::RemoveEntry(_) => with_part.contains(&at),
            ValueOrRemoval::RemoveAll => operations[at + 1..].iter().any(|weaker| {
                matches!(weaker.what, ValueOrRemoval::Value(_))
                    && !matches!(weaker.place, PlaceId::Default(_))
            }),
        };
        operations[at].effective &= takes_away;
    }
}

/// The provenance: effective values, then effective removals, then the rest, each strongest first.
pub(super) fn provenance_of_operations(
    operations: Vec<ParameterOperationOfPlace<'_, '_>>,
    secret: bool,
) -> Arc<[ValueProvenanceEntry]> {
    let mut provenance: Vec<ValueProvenanceEntry> = operations
        .into_iter()
        .map(|entry| ValueProvenanceEntry {
            place: entry.place.clone(),
            removes: !matches!(entry.what, ValueOrRemoval::Value(_)),
            value: match entry.what {
                _ if secret => None,
                ValueOrRemoval::Value(value) => Some(Arc::clone(value)),
                ValueOrRemoval::RemoveAll => None,
                ValueOrRemoval::RemoveEntry(path) => {
                    Some(Arc::new(Value::Text(join_with_escaped_dots(path))))
                }
            },
            effective: entry.effective,
            origin: entry.origin.cloned(),
        })
        .collect();
    if provenance.len() > 1 {
        provenance.sort_by_key(|entry| (!entry.effective, entry.removes && entry.effective));
    }
    provenance.into()
}
