//! Which places the servers use that a check resolves, and which versions the values of those places apply to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::FixedState;

use super::{Resolution, ResolveFaults, Resolver, server_evaluation::ServerReadyForEvaluation};
use crate::{
    estate::{PlaceId, Server},
    name::{Name, ServerName},
    version::Version,
};

/// Which places the servers use, and which versions they get.
#[derive(Default)]
pub(super) struct PlaceUsage<'a> {
    pub(super) used: BTreeSet<PlaceId>,
    pub(super) chosen: BTreeMap<(PlaceId, &'a Name), BTreeSet<Version>>,
    /// What is recorded already: the address of a place's settings, and the number of the components.
    recorded: HashSet<(usize, usize), FixedState>,
}

impl<'a> PlaceUsage<'a> {
    /// Resolves a server and records which places it uses, and the versions that their values then apply to.
    pub(super) fn resolve(
        &mut self,
        resolver: &Resolver<'a>,
        name: &ServerName,
    ) -> Result<Resolution, ResolveFaults> {
        let places = match resolver.places_of(name) {
            Ok(places) => places,
            Err(faults) => {
                // Its places are checked all the same, so that all faults are reported at once.
                self.used.extend(places_named_by_server(name, &resolver.estate.servers[name]));
                return Err(faults.into());
            }
        };
        let evaluation = match resolver.server_evaluation(&places) {
            Ok(evaluation) => evaluation,
            Err(error) => {
                match places.stack_places(resolver.estate, &resolver.hierarchy) {
                    Ok(stack) => self.used.extend(stack.layers.into_iter().map(|layer| layer.place)),
                    Err(_) => self.used.extend(places_named_by_server(name, places.server)),
                }
                return Err(error);
            }
        };
        self.record(&evaluation);
        resolver.resolve_evaluation(&places, &evaluation)
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.used.extend(other.used);
        for (place, versions) in other.chosen {
            self.chosen.entry(place).or_default().extend(versions);
        }
    }

    fn record(&mut self, evaluation: &ServerReadyForEvaluation<'a>) {
        for layer in &evaluation.stack.layers {
            let settings = std::ptr::from_ref(layer.settings).addr();
            if !self.recorded.insert((settings, evaluation.components.number)) {
                continue;
            }
            self.used.insert(layer.place.clone());
            for component in layer.settings.values.keys() {
                let Some(found) = evaluation.components.find_chosen_component_by_name(component) else {
                    continue;
                };
                let versions = self.chosen.entry((layer.place.clone(), component)).or_default();
                versions.insert(found.published.component.version.clone());
            }
        }
    }
}

/// The places a server names itself.
fn places_named_by_server<'s>(
    name: &ServerName,
    server: &'s Server,
) -> impl Iterator<Item = PlaceId> + use<'s> {
    let own = [PlaceId::Server(name.clone()), PlaceId::Environment(server.environment.clone())];
    let groups = server.groups.iter().cloned().map(PlaceId::Group);
    own.into_iter().chain(groups).chain(server.roles.iter().cloned().map(PlaceId::Role))
}
