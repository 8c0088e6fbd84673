//! The places of the inventory: 60 roles in four branches, 5 environments, 30 groups, and the servers.

use serde_json::json;

use super::{
    InventoryPlace, InventoryRole, InventoryServer, PlaceValues,
    catalog::{self, BASE_COMPONENTS, COMPONENTS_BY_ROLE_BRANCH, SETTABLE_PARAMETER_KEYS},
    sequence::SeededNumberSequence,
};

/// The branches; roles inherit along one: a leaf, its family, the branch's platform, `base`.
const ROLE_BRANCHES: [RoleBranch; 4] = [
    RoleBranch { name: "app", families: 5, leaves: 14 },
    RoleBranch { name: "data", families: 4, leaves: 11 },
    RoleBranch { name: "edge", families: 3, leaves: 8 },
    // Only some servers have a role of this one.
    RoleBranch { name: "operations", families: 3, leaves: 7 },
];

/// The environments.
const ENVIRONMENTS: [&str; 5] = ["dev", "test", "staging", "prod", "recovery"];

/// How many groups there are.
const GROUPS: usize = 30;

/// Roles that inherit along one line.
struct RoleBranch {
    name: &'static str,
    families: usize,
    leaves: usize,
}

impl RoleBranch {
    fn leaf(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    fn family(&self, number: usize) -> String {
        format!("{}-family-{number}", self.name)
    }

    fn platform(&self) -> String {
        format!("{}-platform", self.name)
    }
}

/// All roles.
pub(super) fn generate_all_roles() -> Vec<InventoryRole> {
    let mut values = place_values("base", &BASE_COMPONENTS, 56);
    // The one `user` of the file, which no other place sets: an edit of this line reaches every server.
    values.entry("openssh").or_default().insert("user", json!("sshd"));
    let base = InventoryPlace { name: "base".to_owned(), values };
    let mut roles =
        vec![InventoryRole { place: base, inherits: Vec::new(), components: BASE_COMPONENTS.to_vec() }];
    for (index, branch) in ROLE_BRANCHES.iter().enumerate() {
        let own = track_components(index);
        let may_set = settable_components(index);
        let mut add = |name: String, inherits: Vec<String>, components: &[&'static str], values: usize| {
            let values = place_values(&name, &may_set, values);
            let place = InventoryPlace { name, values };
            roles.push(InventoryRole { place, inherits, components: components.to_vec() });
        };
        add(branch.platform(), vec!["base".to_owned()], own, 25);
        for family in 0..branch.families {
            add(branch.family(family), vec![branch.platform()], &[], 15);
        }
        for leaf in 0..branch.leaves {
            let family = leaf % branch.families;
            let mut inherits = vec![branch.family(family)];
            // Some combine two families.
            if leaf % 4 == 3 && family + 1 < branch.families {
                inherits.push(branch.family(family + 1));
            }
            add(branch.leaf(leaf), inherits, &[], 10);
        }
    }
    roles
}

/// All environments. They and the groups set values of the components that every server has.
pub(super) fn generate_all_environments() -> Vec<InventoryPlace> {
    let place = |name: &str| InventoryPlace {
        name: name.to_owned(),
        values: place_values(name, &BASE_COMPONENTS, 20),
    };
    ENVIRONMENTS.into_iter().map(place).collect()
}

/// All groups.
pub(super) fn generate_all_groups() -> Vec<InventoryPlace> {
    let place = |number| {
        let name = group(number);
        InventoryPlace { values: place_values(&name, &BASE_COMPONENTS, 8), name }
    };
    (0..GROUPS).map(place).collect()
}

/// The server of a number, counted from 1.
pub(super) fn generate_server(number: usize) -> InventoryServer {
    let name = format!("web-{number:04}");
    let mut numbers = SeededNumberSequence::from_text(&format!("server {name}"));
    let mut roles: Vec<String> =
        ROLE_BRANCHES[..3].iter().map(|branch| branch.leaf(numbers.next_below(branch.leaves))).collect();
    if numbers.next_below(2) == 0 {
        let operations = &ROLE_BRANCHES[3];
        roles.insert(numbers.next_below(4), operations.leaf(numbers.next_below(operations.leaves)));
    }
    let first = numbers.next_below(GROUPS);
    let mut groups = vec![group(first)];
    if numbers.next_below(2) == 0 {
        groups.push(group((first + 1 + numbers.next_below(GROUPS - 1)) % GROUPS));
    }
    let environment = (*numbers.pick_one(&ENVIRONMENTS)).to_owned();
    let may_set: Vec<&'static str> =
        BASE_COMPONENTS.into_iter().chain(COMPONENTS_BY_ROLE_BRANCH.into_iter().flatten()).collect();
    let values = place_values(&name, &may_set, 2 + numbers.next_below(4));
    InventoryServer { place: InventoryPlace { name, values }, environment, groups, roles }
}

fn group(number: usize) -> String {
    format!("group-{number:02}")
}

/// The components a branch brings.
fn track_components(index: usize) -> &'static [&'static str] {
    COMPONENTS_BY_ROLE_BRANCH.get(index).map_or(&[], |components| components)
}

/// The components whose values a role of a branch may set: those its own line requires.
fn settable_components(index: usize) -> Vec<&'static str> {
    BASE_COMPONENTS.iter().chain(track_components(index)).copied().collect()
}

/// So many values of the given components, in an order of the place's own.
fn place_values(place: &str, components: &[&'static str], count: usize) -> PlaceValues {
    let mut numbers = SeededNumberSequence::from_text(place);
    let mut values = PlaceValues::new();
    let mut set = 0;
    while set < count {
        let component = *numbers.pick_one(components);
        let key = *numbers.pick_one(&SETTABLE_PARAMETER_KEYS);
        let keys = values.entry(component).or_default();
        if !keys.contains_key(key) {
            keys.insert(key, catalog::generate_parameter_value(key, component, place, &mut numbers));
            set += 1;
        }
    }
    values
}
