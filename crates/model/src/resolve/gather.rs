//! Gathering: what each place says about one parameter, strongest first, and what of it counts.

use super::layers::Layers;
use crate::{
    estate::{Origin, Place, Removal},
    name::{Key, Name},
    parameter::{Merge, Parameter},
    value::Value,
};

/// What one place says, before references are replaced.
pub(super) struct Spoken<'a> {
    pub(super) place: Place,
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

/// All that is said about `component.key`; the component's default comes last.
///
/// A default is merged like any other value, unless somebody took weaker values away and set one of
/// his own. When nobody is left to say anything the default counts again.
pub(super) fn gather<'a>(
    layers: &Layers<'a>,
    component: &Name,
    key: &Key,
    parameter: &'a Parameter,
) -> Vec<Spoken<'a>> {
    let (counting, cut_by) = layers.counting(component);
    let replace = parameter.merge == Merge::Replace;
    let mut spoken: Vec<Spoken<'a>> = Vec::new();
    let mut cut = false;
    let mut valued = false;
    for (at, layer) in layers.stack.iter().enumerate() {
        let says = layer.says;
        if let Some(said) = says.values.get(component).and_then(|values| values.get(key)) {
            if at >= counting && !cut {
                // The whole component was taken away by a stronger place, which then is the reason.
                let place = cut_by.unwrap_or(&layer.place).clone();
                let counts = !(replace && valued);
                spoken.push(Spoken { place, what: Speech::RemoveAll, origin: None, counts });
                cut = true;
            }
            let counts = !(cut || replace && valued);
            valued |= counts;
            let what = Speech::Value(&said.value);
            spoken.push(Spoken { place: layer.place.clone(), what, origin: said.origin.as_ref(), counts });
        }
        for removal in &says.remove {
            let what = match removal {
                Removal::Value(name, of) if name == component && of == key => Speech::RemoveAll,
                Removal::Entry(name, of, path) if name == component && of == key => Speech::RemoveEntry(path),
                _ => continue,
            };
            let counts = !cut && at < counting && !(replace && valued);
            cut |= matches!(what, Speech::RemoveAll);
            spoken.push(Spoken { place: layer.place.clone(), what, origin: None, counts });
        }
    }
    if let Some(default) = &parameter.default {
        let place = Place::Default(component.clone());
        let counts = !valued || (!replace && !cut);
        spoken.push(Spoken { place, what: Speech::Value(default), origin: None, counts });
    }
    spoken
}
