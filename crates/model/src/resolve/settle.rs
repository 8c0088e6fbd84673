//! Versions: wishes and requirements become one exact version of each component.
//!
//! The strongest place that wishes for a component decides its range; every component that requires it
//! narrows it. What is required and wished for by nobody is added.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    SettledComponents,
    fault::{Fault, FaultKind, ResolveError},
    layers::PlaceStack,
    search::{VersionConstraint, VersionSearch},
};
use crate::{
    catalog::{Catalog, CatalogVersion},
    estate::{Place, RemovalTarget, RevisionOrigin},
    name::Name,
    nearest,
    node::RequirementProvenance,
    version::VersionRange,
};

/// A component in the version it got.
pub(super) struct SettledComponent<'a> {
    pub(super) published: &'a Arc<CatalogVersion>,
    /// Places first, strongest first; then the components that require it.
    pub(super) wished: Vec<RequirementProvenance>,
}

/// Chooses a version for every component wished for, and for all these require.
pub(super) fn settle<'a>(
    catalog: &'a Catalog,
    layers: &PlaceStack<'a>,
) -> Result<SettledComponents<'a>, ResolveError> {
    let wishes = wishes(layers);
    let mut search = VersionSearch::new(catalog, layers);
    let mut faults = Vec::new();
    for (name, wishes) in &wishes {
        let Some(PlacedRequirement { place, range: Some(range), .. }) =
            wishes.iter().find(|wish| wish.decides)
        else {
            continue;
        };
        if catalog.versions(layers.channel, name).is_empty() {
            faults.push(unknown(catalog, layers, place, name));
        }
        search.wish(name, VersionConstraint { place: (*place).clone(), range, depth: None });
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    Ok(search
        .run()?
        .into_iter()
        .map(|(name, published, asks)| {
            let places = wishes.get(name).into_iter().flatten().map(PlacedRequirement::wished);
            // The strongest place's wish is both in `wishes` and in `asks`.
            let requirers =
                asks.into_iter().filter(|ask| ask.depth.is_some()).map(|ask| RequirementProvenance {
                    place: ask.place,
                    range: Some(ask.range.clone()),
                    counts: true,
                    origin: None,
                });
            (name, SettledComponent { published, wished: places.chain(requirers).collect() })
        })
        .collect())
}

/// What one place wants of a component.
struct PlacedRequirement<'a, 'l> {
    place: &'l Place,
    /// `None` takes away what weaker places wish for.
    range: Option<&'a VersionRange>,
    origin: Option<&'a RevisionOrigin>,
    /// Whether this wish, or this removal, is the one that counts.
    decides: bool,
}

impl PlacedRequirement<'_, '_> {
    fn wished(&self) -> RequirementProvenance {
        RequirementProvenance {
            place: self.place.clone(),
            range: self.range.cloned(),
            counts: self.decides,
            origin: self.origin.cloned(),
        }
    }
}

/// Who wishes for what and who takes it away, strongest first.
fn wishes<'a, 'l>(layers: &'l PlaceStack<'a>) -> BTreeMap<&'a Name, Vec<PlacedRequirement<'a, 'l>>> {
    let mut wishes: BTreeMap<&Name, Vec<_>> = BTreeMap::new();
    for (at, layer) in layers.stack.iter().enumerate() {
        let place = &layer.place;
        for (name, wish) in &layer.says.components {
            let wishes = wishes.entry(name).or_default();
            let decides = wishes.is_empty() && at < layers.counting(name);
            let (range, origin) = (Some(&wish.range), wish.origin.as_ref());
            wishes.push(PlacedRequirement { place, range, origin, decides });
        }
        for removed in &layer.says.remove {
            if let RemovalTarget::Component(name) = &removed.what {
                let decides = at + 1 == layers.counting(name);
                let origin = removed.origin.as_ref();
                wishes.entry(name).or_default().push(PlacedRequirement {
                    place,
                    range: None,
                    origin,
                    decides,
                });
            }
        }
    }
    wishes
}

fn unknown(catalog: &Catalog, layers: &PlaceStack<'_>, place: &Place, component: &Name) -> Fault {
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
