//! A made-up inventory for measuring resolution, written twice: as an estate with its catalog, and for reclass.
//!
//! The same number of servers always gives the same bytes. Both forms must resolve to the same values, so the
//! generator keeps to what both sides mean alike: only lists declared `append` and maps declared `deep` are set in
//! several places, no list item is set twice, and no server has two roles of one branch. Within these limits C3
//! and the order in which reclass reads classes agree.

mod catalog;
mod estate_form;
mod places;
mod reclass_form;
pub(crate) mod sequence;
mod yaml_text;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

pub(crate) use self::estate_form::{write_component_folders, write_inventory_places_as_estate};
use crate::chore_failure::ChoreFailure;

/// The channel that holds every component, in version [`VERSION`].
pub(crate) const INVENTORY_CHANNEL: &str = "stable";

/// The version of every component.
const VERSION: &str = "1.0.0";

/// Values by component and key; references are written as in an estate: `${component.key}`.
type PlaceValues = BTreeMap<&'static str, BTreeMap<&'static str, Value>>;

/// A made-up inventory.
pub(crate) struct GeneratedInventory {
    components: Vec<InventoryComponent>,
    roles: Vec<InventoryRole>,
    environments: Vec<InventoryPlace>,
    groups: Vec<InventoryPlace>,
    servers: Vec<InventoryServer>,
}

/// A component and its parameters.
struct InventoryComponent {
    name: &'static str,
    parameters: Vec<InventoryParameter>,
}

/// A declared parameter.
struct InventoryParameter {
    key: &'static str,
    kind: &'static str,
    /// `append` or `deep`; empty where the strongest place wins.
    merge: &'static str,
    default: Value,
}

/// A place that sets values.
struct InventoryPlace {
    name: String,
    values: PlaceValues,
}

/// A role.
struct InventoryRole {
    place: InventoryPlace,
    /// Strongest first.
    inherits: Vec<String>,
    /// The components it requires.
    components: Vec<&'static str>,
}

/// A server: everything it lists is the strongest first.
struct InventoryServer {
    place: InventoryPlace,
    environment: String,
    groups: Vec<String>,
    roles: Vec<String>,
}

impl GeneratedInventory {
    /// Makes the inventory of so many servers.
    pub(crate) fn generate_inventory(servers: usize) -> GeneratedInventory {
        GeneratedInventory {
            components: catalog::generate_all_components(),
            roles: places::generate_all_roles(),
            environments: places::generate_all_environments(),
            groups: places::generate_all_groups(),
            servers: (1..=servers).map(places::generate_server).collect(),
        }
    }

    /// Writes `estate/`, its catalog included, and `reclass/` into `folder`.
    pub(crate) fn write_as_estate_and_reclass(&self, folder: &Path) -> Result<(), ChoreFailure> {
        let estate = folder.join("estate");
        write_inventory_places_as_estate(self, &estate)?;
        estate_form::write_component_descriptions(self, &estate.join("catalog"))?;
        reclass_form::write_inventory_as_reclass(self, &folder.join("reclass"))
    }

    /// The names of all components.
    pub(crate) fn component_names(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|component| component.name)
    }

    /// The names of `count` servers, spread over all in the order of their names: those `resolve-estate` shows.
    pub(crate) fn evenly_spread_server_names(&self, count: usize) -> Vec<&str> {
        let names: BTreeSet<&str> = self.servers.iter().map(|server| server.place.name.as_str()).collect();
        let step = (names.len() / count.max(1)).max(1);
        names.into_iter().step_by(step).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_has_60_roles_and_550_parameters_and_repeats() {
        let inventory = GeneratedInventory::generate_inventory(40);
        assert_eq!(
            (inventory.roles.len(), inventory.environments.len(), inventory.groups.len()),
            (60, 5, 30)
        );
        let parameters = inventory.components.iter().map(|component| component.parameters.len());
        assert_eq!((inventory.components.len(), parameters.sum::<usize>()), (25, 550));
        assert!(inventory.servers.iter().all(|server| (3..=4).contains(&server.roles.len())));
        assert_eq!(inventory.evenly_spread_server_names(4), ["web-0001", "web-0011", "web-0021", "web-0031"]);
        let again = GeneratedInventory::generate_inventory(40);
        let values = |inventory: &GeneratedInventory| inventory.servers[39].place.values.clone();
        assert_eq!(values(&inventory), values(&again));
    }
}
