//! The inventory as an estate folder, and its components as `component.yaml` files.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use super::{
    GeneratedInventory, INVENTORY_CHANNEL, InventoryComponent, InventoryPlace, PlaceValues, VERSION,
    yaml_text::write_yaml_map,
};
use crate::chore_failure::{ChoreFailure, io_failure_maker_for_path};

/// Writes `roles/`, `groups/`, `environments/` and `servers/` into `folder`.
pub(crate) fn write_inventory_places_as_estate(
    inventory: &GeneratedInventory,
    folder: &Path,
) -> Result<(), ChoreFailure> {
    for kind in ["roles", "groups", "environments", "servers"] {
        let folder = folder.join(kind);
        fs::create_dir_all(&folder).map_err(io_failure_maker_for_path("create", &folder))?;
    }
    for role in &inventory.roles {
        let components = role.components.iter().map(|name| ((*name).to_owned(), json!("^1.0")));
        let head = [("inherits", json!(role.inherits)), ("components", Value::Object(components.collect()))];
        write_place(folder, "role", &role.place, head)?;
    }
    for group in &inventory.groups {
        write_place(folder, "group", group, [])?;
    }
    for environment in &inventory.environments {
        write_place(folder, "environment", environment, [("channel", json!(INVENTORY_CHANNEL))])?;
    }
    for server in &inventory.servers {
        let head = [
            ("environment", json!(server.environment)),
            ("groups", json!(server.groups)),
            ("roles", json!(server.roles)),
        ];
        write_place(folder, "server", &server.place, head)?;
    }
    Ok(())
}

/// Writes every component's description as `NAME.yaml` into `folder`.
pub(super) fn write_component_descriptions(
    inventory: &GeneratedInventory,
    folder: &Path,
) -> Result<(), ChoreFailure> {
    fs::create_dir_all(folder).map_err(io_failure_maker_for_path("create", folder))?;
    for component in &inventory.components {
        let file = folder.join(format!("{}.yaml", component.name));
        fs::write(&file, component_text(component)).map_err(io_failure_maker_for_path("write", &file))?;
    }
    Ok(())
}

/// Writes every component into a folder of its own below `folder`, ready to be packaged.
pub(crate) fn write_component_folders(
    inventory: &GeneratedInventory,
    folder: &Path,
) -> Result<(), ChoreFailure> {
    for component in &inventory.components {
        let name = component.name;
        let deploy = folder.join(name).join("deploy");
        fs::create_dir_all(&deploy).map_err(io_failure_maker_for_path("create", &deploy))?;
        let file = folder.join(name).join("component.yaml");
        fs::write(&file, component_text(component)).map_err(io_failure_maker_for_path("write", &file))?;
        let manifest = deploy.join("manifest.yaml");
        let text = format!(
            "format: geppetto/manifest/1\nresources:\n  - file: /etc/{name}.conf\n    content: \"{{{{ title }}}}\\nuser {{{{ user }}}}\\n\"\n"
        );
        fs::write(&manifest, text).map_err(io_failure_maker_for_path("write", &manifest))?;
    }
    Ok(())
}

fn write_place<const N: usize>(
    folder: &Path,
    kind: &str,
    place: &InventoryPlace,
    head: [(&str, Value); N],
) -> Result<(), ChoreFailure> {
    let version = if kind == "server" { 2 } else { 1 };
    let mut text = format!("format: geppetto/{kind}/{version}\n");
    let filled = head.into_iter().filter(|(_, value)| *value != json!([]) && *value != json!({}));
    write_yaml_map(&mut text, &filled.map(|(key, value)| (key.to_owned(), value)).collect(), 0);
    text.push_str("values:\n");
    write_yaml_map(&mut text, &by_component(&place.values), 2);
    let file = folder.join(format!("{kind}s")).join(format!("{}.yaml", place.name));
    fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))
}

fn by_component(values: &PlaceValues) -> Map<String, Value> {
    let keys = |keys: &std::collections::BTreeMap<&str, Value>| -> Map<String, Value> {
        keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    values.iter().map(|(name, values)| ((*name).to_owned(), Value::Object(keys(values)))).collect()
}

fn component_text(component: &InventoryComponent) -> String {
    let name = component.name;
    let mut text = format!(
        "format: geppetto/component/1\nname: {name}\nversion: {VERSION}\nkind: os-config\n\
         summary: Parameters to measure resolution with\nlicense: Apache-2.0\nparameters:\n"
    );
    for parameter in &component.parameters {
        let mut described = Map::new();
        described.insert("type".to_owned(), json!(parameter.kind));
        described.insert("description".to_owned(), json!(format!("The {} of {name}", parameter.key)));
        described.insert("default".to_owned(), parameter.default.clone());
        if !parameter.merge.is_empty() {
            described.insert("merge".to_owned(), json!(parameter.merge));
        }
        if parameter.key == "log_level" {
            described.insert("one_of".to_owned(), json!(["debug", "info", "warning", "error"]));
        }
        write_yaml_map(&mut text, &Map::from_iter([(parameter.key.to_owned(), Value::Object(described))]), 2);
    }
    text
}
