//! Gathering: what each place says about one parameter, strongest first, and what of it counts.

use std::collections::BTreeMap;

use super::layers::Layers;
use crate::{
    estate::{Origin, Place, Removal, Removed, Said},
    name::{Key, Name},
    parameter::{Merge, Parameter},
    value::Value,
};

/// The places that say something about one component: found once, asked for each of its parameters.
pub(super) struct Speakers<'a, 'l> {
    /// Strongest first.
    speakers: Vec<Speaker<'a, 'l>>,
    /// The number of layers that count.
    counting: usize,
    /// The place that takes the component away from weaker ones.
    cut: Option<(&'l Place, Option<&'a Origin>)>,
    /// The component itself, which speaks last.
    default: Place,
}

struct Speaker<'a, 'l> {
    at: usize,
    place: &'l Place,
    values: Option<&'a BTreeMap<Key, Said>>,
    removals: Vec<&'a Removed>,
}

/// What one place says, before references are replaced.
pub(super) struct Spoken<'a, 'l> {
    pub(super) place: &'l Place,
    pub(super) what: Speech<'a>,
    pub(super) origin: Option<&'a Origin>,
    pub(super) counts: bool,
}

/// A value, or something taken away.
pub(super) enum Speech<'a> {
    Value(&'a Value),
    /// All that weaker places say.
    RemoveAll,
    /// One entry of the maps of weaker places.
    RemoveEntry(&'a [String]),
}

impl<'a, 'l> Speakers<'a, 'l> {
    /// Finds who says something about `component`.
    pub(super) fn new(layers: &'l Layers<'a>, component: &Name) -> Self {
        let speakers = layers.stack.iter().enumerate().filter_map(|(at, layer)| {
            let values = layer.says.values.get(component);
            let about = |removed: &&Removed| match &removed.what {
                Removal::Component(_) => false,
                Removal::Value(name, _) | Removal::Entry(name, _, _) => name == component,
            };
            let removals: Vec<&Removed> = layer.says.remove.iter().filter(about).collect();
            let speaks = values.is_some() || !removals.is_empty();
            speaks.then_some(Speaker { at, place: &layer.place, values, removals })
        });
        Self {
            speakers: speakers.collect(),
            counting: layers.counting(component),
            cut: layers.cut(component),
            default: Place::Default(component.clone()),
        }
    }

    /// What the layers that count say, by place.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'l Place, &'a BTreeMap<Key, Said>)> {
        let counting = self.speakers.iter().filter(|speaker| speaker.at < self.counting);
        counting.filter_map(|speaker| Some((speaker.place, speaker.values?)))
    }

    /// All that is said about the parameter `key`; the component's default comes last.
    ///
    /// A default is merged like any other value, unless somebody took weaker values away and set one of
    /// his own. When nobody is left to say anything the default counts again.
    pub(super) fn gather<'s>(&'s self, key: &Key, parameter: &'s Parameter) -> Vec<Spoken<'s, 's>> {
        let replace = parameter.merge == Merge::Replace;
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
                    spoken.push(Spoken { place, what: Speech::RemoveAll, origin, counts });
                    cut = true;
                }
                let counts = !(cut || replace && valued);
                valued |= counts;
                let (what, origin) = (Speech::Value(&said.value), said.origin.as_ref());
                spoken.push(Spoken { place, what, origin, counts });
            }
            for removed in &speaker.removals {
                let what = match &removed.what {
                    Removal::Value(_, of) if of == key => Speech::RemoveAll,
                    Removal::Entry(_, of, path) if of == key => Speech::RemoveEntry(path),
                    _ => continue,
                };
                let counts = !cut && speaker.at < self.counting && !(replace && valued);
                cut |= matches!(what, Speech::RemoveAll);
                spoken.push(Spoken { place, what, origin: removed.origin.as_ref(), counts });
            }
        }
        if let Some(default) = &parameter.default {
            let counts = !valued || (!replace && !cut);
            let what = Speech::Value(default);
            spoken.push(Spoken { place: &self.default, what, origin: None, counts });
        }
        spoken
    }
}
