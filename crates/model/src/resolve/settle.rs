//! Versions: wishes and requirements become one exact version of each component.
//!
//! The strongest place that wishes for a component decides its range; every component that requires it
//! narrows it. What is required and wished for by nobody is added.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    SettledComponents,
    fault::{Fault, FaultKind, ResolveError},
    layers::Layers,
    search::{Ask, Search},
};
use crate::{
    catalog::{Catalog, Published},
    estate::Place,
    name::Name,
    nearest,
    node::Wished,
    version::Range,
};

/// A component in the version it got.
pub(super) struct Settled<'a> {
    pub(super) published: &'a Arc<Published>,
    /// Places first, strongest first; then the components that require it.
    pub(super) wished: Vec<Wished>,
}

/// Chooses a version for every component wished for, and for all these require.
pub(super) fn settle<'a>(
    catalog: &'a Catalog,
    layers: &Layers<'a>,
) -> Result<SettledComponents<'a>, ResolveError> {
    let wishes = wishes(layers);
    let mut search = Search::new(catalog, layers);
    let mut faults = Vec::new();
    for (name, places) in &wishes {
        let Some((place, range)) = places.first() else { continue };
        if catalog.versions(layers.channel, name).is_empty() {
            faults.push(unknown(catalog, layers, place, name));
        }
        search.wish(name, Ask { place: (*place).clone(), range, depth: None });
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    Ok(search
        .run()?
        .into_iter()
        .map(|(name, published, asks)| {
            let places = wishes.get(name).into_iter().flatten();
            let places = places.map(|(place, range)| ((*place).clone(), (*range).clone()));
            // The strongest place's wish is both in `wishes` and in `asks`.
            let requirers = asks.into_iter().filter(|ask| ask.depth.is_some());
            let requirers = requirers.map(|ask| (ask.place, ask.range.clone()));
            let wished = places.chain(requirers).map(|(place, range)| Wished { place, range }).collect();
            (name, Settled { published, wished })
        })
        .collect())
}

/// Who wishes for what, strongest first, where nobody stronger took the component away.
fn wishes<'a, 'l>(layers: &'l Layers<'a>) -> BTreeMap<&'a Name, Vec<(&'l Place, &'a Range)>> {
    let mut wishes: BTreeMap<&Name, Vec<_>> = BTreeMap::new();
    for (at, layer) in layers.stack.iter().enumerate() {
        let says = layer.says;
        for (name, range) in &says.components {
            if at < layers.counting(name).0 {
                wishes.entry(name).or_default().push((&layer.place, range));
            }
        }
    }
    wishes
}

fn unknown(catalog: &Catalog, layers: &Layers<'_>, place: &Place, component: &Name) -> Fault {
    let channels: Vec<Name> = catalog
        .channels
        .iter()
        .filter(|(_, names)| names.get(component).is_some_and(|versions| !versions.is_empty()))
        .map(|(channel, _)| channel.clone())
        .collect();
    let carried = catalog.channels.get(layers.channel).into_iter().flatten();
    let near = nearest(component.as_str(), carried.map(|(name, _)| name.as_str())).map(str::to_owned);
    let (channel, component) = (layers.channel.clone(), component.clone());
    Fault::new(
        place.clone(),
        FaultKind::UnknownComponent { component: component.clone(), channel, near, channels },
    )
    .about(&component)
}
