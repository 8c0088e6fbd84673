//! The operations of all places on one parameter, strongest first, and which of them can take part in its value.

use std::{collections::BTreeMap, sync::Arc};

use super::place_stack::PlaceStack;
use crate::{
    estate::{AssignedValue, InheritanceRemoval, InheritedItem, Place, RevisionOrigin},
    name::{Key, Name},
    parameter::{MergeStrategy, Parameter},
    value::Value,
};

/// The places that set or remove something of one component: collected once, queried for each parameter.
pub(super) struct ComponentOperations<'a, 'l> {
    /// Strongest first.
    sources: Vec<PlaceSource<'a, 'l>>,
    /// The number of effective layers.
    effective_layers: usize,
    /// The place that removes the component from weaker ones.
    removal: Option<(&'l Place, Option<&'a RevisionOrigin>)>,
    /// The component's own default, which is weakest.
    default: Place,
    /// Whether defaults are joined to what places set.
    joins_defaults: bool,
}

/// One place that sets or removes something of the component.
struct PlaceSource<'a, 'l> {
    /// Its index in the stack of places.
    at: usize,
    place: &'l Place,
    values: Option<&'a BTreeMap<Key, AssignedValue>>,
    removals: Vec<&'a InheritanceRemoval>,
}

/// One place's operation on a parameter, before references are replaced.
pub(super) struct PlaceOperation<'a, 'l> {
    pub(super) place: &'l Place,
    pub(super) what: ValueOperation<'a>,
    pub(super) origin: Option<&'a RevisionOrigin>,
    /// Whether no stronger place overrides or removes it.
    pub(super) effective: bool,
}

/// A value or a removal.
#[derive(Clone, Copy)]
pub(super) enum ValueOperation<'a> {
    Value(&'a Arc<Value>),
    /// Removes the values of all weaker places.
    RemoveAll,
    /// Removes one entry from the maps of weaker places.
    RemoveEntry(&'a [String]),
}

impl<'a, 'l> ComponentOperations<'a, 'l> {
    /// Collects the places that set or remove something of `component`.
    pub(super) fn new(stack: &'l PlaceStack<'a>, component: &Name) -> Self {
        let sources = stack.layers.iter().enumerate().filter_map(|(at, layer)| {
            let values = layer.overrides.values.get(component);
            let about = |removed: &&InheritanceRemoval| match &removed.what {
                InheritedItem::Component(_) => false,
                InheritedItem::Value(name, _) | InheritedItem::Entry(name, _, _) => name == component,
            };
            let removals: Vec<&InheritanceRemoval> = layer.overrides.remove.iter().filter(about).collect();
            let is_source = values.is_some() || !removals.is_empty();
            is_source.then_some(PlaceSource { at, place: &layer.place, values, removals })
        });
        Self {
            sources: sources.collect(),
            effective_layers: stack.count_effective_layers(component),
            removal: stack.find_component_removal(component),
            default: Place::Default(component.clone()),
            joins_defaults: true,
        }
    }

    /// The same, but what a place sets is final: no default is joined to it.
    pub(super) fn without_joined_defaults(mut self) -> Self {
        self.joins_defaults = false;
        self
    }

    /// All operations on the parameter `key`, strongest first; the component's default comes last.
    ///
    /// A removal concerns places, never the default: a list or map that is merged always has the default in it, and
    /// a value that is replaced falls back to the default when no place is left that sets one.
    pub(super) fn operations_on_parameter<'s>(
        &'s self,
        key: &Key,
        parameter: &'s Parameter,
    ) -> Vec<PlaceOperation<'s, 's>> {
        let replace = parameter.merge == MergeStrategy::Replace;
        let mut operations = Vec::new();
        let mut is_removed = false;
        let mut has_value = false;
        for source in &self.sources {
            let place = source.place;
            if let Some(assignment) = source.values.and_then(|values| values.get(key)) {
                if source.at >= self.effective_layers && !is_removed {
                    // A stronger place removes the whole component: its removal is the reason.
                    let (place, origin) = self.removal.unwrap_or((place, None));
                    let what = ValueOperation::RemoveAll;
                    let effective = !(replace && has_value);
                    operations.push(PlaceOperation { place, what, origin, effective });
                    is_removed = true;
                }
                let effective = !(is_removed || replace && has_value);
                has_value |= effective;
                let (what, origin) = (ValueOperation::Value(&assignment.value), assignment.origin.as_ref());
                operations.push(PlaceOperation { place, what, origin, effective });
            }
            // What one place removes is one thing: the order of its removals does not matter.
            let is_removed_by_stronger = is_removed;
            for removed in &source.removals {
                let what = match &removed.what {
                    InheritedItem::Value(_, of) if of == key => ValueOperation::RemoveAll,
                    InheritedItem::Entry(_, of, path) if of == key => ValueOperation::RemoveEntry(path),
                    _ => continue,
                };
                let effective =
                    !is_removed_by_stronger && source.at < self.effective_layers && !(replace && has_value);
                is_removed |= matches!(what, ValueOperation::RemoveAll);
                operations.push(PlaceOperation { place, what, origin: removed.origin.as_ref(), effective });
            }
        }
        if let Some(default) = &parameter.default {
            let effective = !has_value || (!replace && self.joins_defaults);
            let what = ValueOperation::Value(default);
            operations.push(PlaceOperation { place: &self.default, what, origin: None, effective });
        }
        operations
    }
}
