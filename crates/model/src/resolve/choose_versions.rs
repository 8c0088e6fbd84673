//! Versions: the requirements of places and components become one exact version of each component.
//!
//! The strongest place that requires a component decides its range; every component that requires it
//! narrows it. What only components require is added.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ChosenComponents,
    fault::{EstateFault, FaultKind, ResolveError},
    place_stack::PlaceStack,
    version_search::{SearchScope, VersionConstraint, VersionSearch},
};
use crate::{
    catalog::{Catalog, CatalogVersion},
    estate::{InheritedItem, Place, RevisionOrigin},
    name::Name,
    nearest,
    node::RequirementProvenance,
    version::VersionRange,
};

/// A component in its chosen version.
pub(super) struct ChosenComponent<'a> {
    pub(super) published: &'a Arc<CatalogVersion>,
    /// Places first, strongest first; then the components that require it.
    pub(super) requirements: Vec<RequirementProvenance>,
}

/// Chooses a version for every component that a place requires, and for all that these require.
pub(super) fn choose_versions<'a>(
    catalog: &'a Catalog,
    layers: &PlaceStack<'a>,
) -> Result<ChosenComponents<'a>, ResolveError> {
    let requirements = requirements_by_component(layers);
    let mut search = VersionSearch::new(catalog, SearchScope::Places(layers));
    let mut faults = Vec::new();
    for (name, requirements) in &requirements {
        let Some(PlacedRequirement { place, range: Some(range), .. }) =
            requirements.iter().find(|requirement| requirement.effective)
        else {
            continue;
        };
        if catalog.versions(layers.channel, name).is_empty() {
            faults.push(unknown(catalog, layers, place, name));
        }
        search.require(name, Some(VersionConstraint { place: (*place).clone(), range, depth: None }));
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    Ok(search
        .run()?
        .into_iter()
        .map(|(name, published, constraints)| {
            let places = requirements.get(name).into_iter().flatten().map(PlacedRequirement::provenance);
            // The strongest place's requirement is both in `requirements` and in `constraints`.
            let requirers =
                constraints.into_iter().filter(|constraint| constraint.depth.is_some()).map(|constraint| {
                    RequirementProvenance {
                        place: constraint.place,
                        range: Some(constraint.range.clone()),
                        effective: true,
                        origin: None,
                    }
                });
            (name, ChosenComponent { published, requirements: places.chain(requirers).collect() })
        })
        .collect())
}

/// One place's requirement or removal of a component.
struct PlacedRequirement<'a, 'l> {
    place: &'l Place,
    /// `None` removes the requirements of weaker places.
    range: Option<&'a VersionRange>,
    origin: Option<&'a RevisionOrigin>,
    /// Whether this requirement or removal is the effective one.
    effective: bool,
}

impl PlacedRequirement<'_, '_> {
    fn provenance(&self) -> RequirementProvenance {
        RequirementProvenance {
            place: self.place.clone(),
            range: self.range.cloned(),
            effective: self.effective,
            origin: self.origin.cloned(),
        }
    }
}

/// The requirements and removals of each component, strongest first.
fn requirements_by_component<'a, 'l>(
    layers: &'l PlaceStack<'a>,
) -> BTreeMap<&'a Name, Vec<PlacedRequirement<'a, 'l>>> {
    let mut requirements: BTreeMap<&Name, Vec<_>> = BTreeMap::new();
    for (at, layer) in layers.stack.iter().enumerate() {
        let place = &layer.place;
        for (name, requirement) in &layer.overrides.components {
            let requirements = requirements.entry(name).or_default();
            let effective = requirements.is_empty() && at < layers.effective_layers(name);
            let (range, origin) = (Some(&requirement.range), requirement.origin.as_ref());
            requirements.push(PlacedRequirement { place, range, origin, effective });
        }
        for removed in &layer.overrides.remove {
            if let InheritedItem::Component(name) = &removed.what {
                let effective = at + 1 == layers.effective_layers(name);
                let origin = removed.origin.as_ref();
                requirements.entry(name).or_default().push(PlacedRequirement {
                    place,
                    range: None,
                    origin,
                    effective,
                });
            }
        }
    }
    requirements
}

fn unknown(catalog: &Catalog, layers: &PlaceStack<'_>, place: &Place, component: &Name) -> EstateFault {
    let channels: Vec<Name> = catalog
        .channels
        .iter()
        .filter(|(_, names)| names.get(component).is_some_and(|versions| !versions.is_empty()))
        .map(|(channel, _)| channel.clone())
        .collect();
    let carried = catalog.channels.get(layers.channel).into_iter().flatten();
    let near = nearest(component.as_str(), carried.map(|(name, _)| name.as_str())).map(str::to_owned);
    let (channel, component) = (layers.channel.clone(), component.clone());
    EstateFault::new(
        place.clone(),
        FaultKind::UnknownComponent { component: component.clone(), channel, near, channels },
    )
    .with_component(&component)
}
