//! The inventory as reclass reads it: `nodes/` and `classes/`.
//!
//! A component's defaults are a class; a role's class begins with those of the components it requires. What reclass
//! merges later is stronger, so every list is turned around.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use super::{GeneratedInventory, PlaceValues, yaml_text::write_yaml_map};
use crate::chore_failure::{ChoreFailure, io_failure_maker_for_path};

/// Writes the inventory into `folder`.
pub(super) fn write_inventory_as_reclass(
    inventory: &GeneratedInventory,
    folder: &Path,
) -> Result<(), ChoreFailure> {
    let classes = folder.join("classes");
    for component in &inventory.components {
        let defaults =
            component.parameters.iter().map(|parameter| (parameter.key, parameter.default.clone()));
        let values = PlaceValues::from([(component.name, defaults.collect())]);
        write(&classes.join("component"), component.name, Vec::new(), &values)?;
    }
    for role in &inventory.roles {
        let components = role.components.iter().map(|name| format!("component.{name}"));
        let inherited = role.inherits.iter().rev().map(|name| format!("role.{name}"));
        write(
            &classes.join("role"),
            &role.place.name,
            components.chain(inherited).collect(),
            &role.place.values,
        )?;
    }
    for (kind, places) in [("environment", &inventory.environments), ("group", &inventory.groups)] {
        for place in places {
            write(&classes.join(kind), &place.name, Vec::new(), &place.values)?;
        }
    }
    for server in &inventory.servers {
        let roles = server.roles.iter().rev().map(|name| format!("role.{name}"));
        let environment = format!("environment.{}", server.environment);
        let groups = server.groups.iter().rev().map(|name| format!("group.{name}"));
        let listed = roles.chain([environment]).chain(groups).collect();
        write(&folder.join("nodes"), &server.place.name, listed, &server.place.values)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, classes: Vec<String>, values: &PlaceValues) -> Result<(), ChoreFailure> {
    fs::create_dir_all(folder).map_err(io_failure_maker_for_path("create", folder))?;
    let parameters: Map<String, Value> = values
        .iter()
        .map(|(component, keys)| {
            let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), with_reclass_references(value)));
            ((*component).to_owned(), Value::Object(keys.collect()))
        })
        .collect();
    let mut text = String::new();
    if !classes.is_empty() {
        write_yaml_map(&mut text, &Map::from_iter([("classes".to_owned(), json!(classes))]), 0);
    }
    text.push_str("parameters:\n");
    write_yaml_map(&mut text, &parameters, 2);
    let file = folder.join(format!("{name}.yml"));
    fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))
}

/// The value with its references as reclass writes them: `${component:key}`.
fn with_reclass_references(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(reclass_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(with_reclass_references).collect()),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), with_reclass_references(value))).collect(),
        ),
        other => other.clone(),
    }
}

fn reclass_text(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut written = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (inside, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let target = match inside {
            "server.name" => "_reclass_:name:short".to_owned(),
            reference => reference.replacen('.', ":", 1),
        };
        written.push_str(&format!("${{{target}}}{rest}"));
    }
    written
}
