//! Gathering: what each place says about one parameter, strongest first, and what of it counts.

use std::collections::BTreeMap;

use super::layers::PlaceStack;
use crate::{
    estate::{Assignment, Place, Removal, RemovalTarget, RevisionOrigin},
    name::{Key, Name},
    parameter::{MergeStrategy, Parameter},
    value::Value,
};

/// The places that say something about one component: found once, asked for each of its parameters.
pub(super) struct Sources<'a, 'l> {
    /// Strongest first.
    speakers: Vec<PlaceSource<'a, 'l>>,
    /// The number of layers that count.
    counting: usize,
    /// The place that takes the component away from weaker ones.
    cut: Option<(&'l Place, Option<&'a RevisionOrigin>)>,
    /// The component itself, which speaks last.
    default: Place,
}

struct PlaceSource<'a, 'l> {
    at: usize,
    place: &'l Place,
    values: Option<&'a BTreeMap<Key, Assignment>>,
    removals: Vec<&'a Removal>,
}

/// What one place says, before references are replaced.
pub(super) struct SourcedOperation<'a, 'l> {
    pub(super) place: &'l Place,
    pub(super) what: Operation<'a>,
    pub(super) origin: Option<&'a RevisionOrigin>,
    pub(super) counts: bool,
}

/// A value, or something taken away.
pub(super) enum Operation<'a> {
    Value(&'a Value),
    /// All that weaker places say.
    RemoveAll,
    /// One entry of the maps of weaker places.
    RemoveEntry(&'a [String]),
}

impl<'a, 'l> Sources<'a, 'l> {
    /// Finds who says something about `component`.
    pub(super) fn new(layers: &'l PlaceStack<'a>, component: &Name) -> Self {
        let speakers = layers.stack.iter().enumerate().filter_map(|(at, layer)| {
            let values = layer.says.values.get(component);
            let about = |removed: &&Removal| match &removed.what {
                RemovalTarget::Component(_) => false,
                RemovalTarget::Value(name, _) | RemovalTarget::Entry(name, _, _) => name == component,
            };
            let removals: Vec<&Removal> = layer.says.remove.iter().filter(about).collect();
            let speaks = values.is_some() || !removals.is_empty();
            speaks.then_some(PlaceSource { at, place: &layer.place, values, removals })
        });
        Self {
            speakers: speakers.collect(),
            counting: layers.counting(component),
            cut: layers.cut(component),
            default: Place::Default(component.clone()),
        }
    }

    /// What the layers that count say, by place.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'l Place, &'a BTreeMap<Key, Assignment>)> {
        let counting = self.speakers.iter().filter(|speaker| speaker.at < self.counting);
        counting.filter_map(|speaker| Some((speaker.place, speaker.values?)))
    }

    /// All that is said about the parameter `key`; the component's default comes last.
    ///
    /// A default is merged like any other value, unless somebody took weaker values away and set one of
    /// his own. When nobody is left to say anything the default counts again.
    pub(super) fn gather<'s>(&'s self, key: &Key, parameter: &'s Parameter) -> Vec<SourcedOperation<'s, 's>> {
        let replace = parameter.merge == MergeStrategy::Replace;
        let mut spoken = Vec::new();
        let mut cut = false;
        let mut valued = false;
        for speaker in &self.speakers {
            let place = speaker.place;
            if let Some(said) = speaker.values.and_then(|values| values.get(key)) {
                if speaker.at >= self.counting && !cut {
                    // The whole component was taken away by a stronger place, which then is the reason.
                    let (place, origin) = self.cut.unwrap_or((place, None));
                    let counts = !(replace && valued);
                    spoken.push(SourcedOperation { place, what: Operation::RemoveAll, origin, counts });
                    cut = true;
                }
                let counts = !(cut || replace && valued);
                valued |= counts;
                let (what, origin) = (Operation::Value(&said.value), said.origin.as_ref());
                spoken.push(SourcedOperation { place, what, origin, counts });
            }
            for removed in &speaker.removals {
                let what = match &removed.what {
                    RemovalTarget::Value(_, of) if of == key => Operation::RemoveAll,
                    RemovalTarget::Entry(_, of, path) if of == key => Operation::RemoveEntry(path),
                    _ => continue,
                };
                let counts = !cut && speaker.at < self.counting && !(replace && valued);
                cut |= matches!(what, Operation::RemoveAll);
                spoken.push(SourcedOperation { place, what, origin: removed.origin.as_ref(), counts });
            }
        }
        if let Some(default) = &parameter.default {
            let counts = !valued || (!replace && !cut);
            let what = Operation::Value(default);
            spoken.push(SourcedOperation { place: &self.default, what, origin: None, counts });
        }
        spoken
    }
}
