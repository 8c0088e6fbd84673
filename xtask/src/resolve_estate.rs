//! `cargo xtask resolve-estate FOLDER`: reads an estate and its catalog from a folder and resolves all servers.
//!
//! It exists to be timed and compared: it loads, resolves, and prints a digest. What it needs of `model` is here and
//! nowhere else in the chores.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ed25519_dalek::SigningKey;
use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages, PackageFile},
    component::Component,
    estate::Estate,
    format::{
        self, FormatError,
        estate::{ESTATE_FOLDERS, EstateYamlByPath},
        node::NodeYamlWriterWithSharedComponents,
    },
    name::{Name, ServerName},
    node::Node,
    resolve::Resolver,
    version::Version,
};
use sha2::{Digest, Sha256};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    generated_inventory::INVENTORY_CHANNEL,
    output,
};

/// What to resolve, and what to print.
#[derive(clap::Args)]
pub(crate) struct ResolveEstateArgs {
    /// An estate folder that also has catalog/, the component.yaml of every component as NAME.yaml
    folder: PathBuf,
    /// Only this server
    #[arg(long, value_name = "NAME", conflicts_with = "json_sample")]
    server: Option<ServerName>,
    /// Print the values of K servers, spread over all, as JSON
    #[arg(long, value_name = "K")]
    json_sample: Option<usize>,
    /// Also write and sign the node file of every server, in memory
    #[arg(long)]
    node_files: bool,
}

/// Loads, resolves and prints.
pub(crate) fn resolve_estate_and_print_digest(arguments: &ResolveEstateArgs) -> Result<(), ChoreFailure> {
    let folder = &arguments.folder;
    let estate = read_estate(folder)?;
    let catalog = read_catalog(&folder.join("catalog"))?;
    let resolver = Resolver::new(&estate, &catalog);
    let resolve = |server: &ServerName| {
        resolver.resolve_server(server).map_err(|error| {
            ChoreFailure::new(format!("{server} cannot be resolved: {error}"), folder.display().to_string())
        })
    };
    if let Some(count) = arguments.json_sample {
        let step = (estate.servers.len() / count.max(1)).max(1);
        let mut sample = serde_json::Map::new();
        for server in estate.servers.keys().step_by(step).take(count) {
            sample.insert(server.to_string(), values_as_json(&resolve(server)?.node));
        }
        output::print_line(&serde_json::Value::Object(sample).to_string());
        return Ok(());
    }
    let mut digests = Sha256::new();
    let (mut servers, mut bytes) = (0, 0);
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut writer = NodeYamlWriterWithSharedComponents::default();
    for server in
        estate.servers.keys().filter(|name| arguments.server.as_ref().is_none_or(|only| only == *name))
    {
        let resolution = resolve(server)?;
        digests.update(resolution.digest.to_string());
        if arguments.node_files {
            bytes += writer.node_to_signed_yaml(&resolution.node, &key).len();
        }
        servers += 1;
    }
    let digest: String = digests.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    output::print_line(&format!("{servers} servers, digest {digest}"));
    if arguments.node_files {
        output::print_line(&format!("{bytes} bytes of signed node files"));
    }
    output::print_line(&format!("peak memory: {} kB", peak_memory_kb()?));
    Ok(())
}

fn read_estate(folder: &Path) -> Result<Estate, ChoreFailure> {
    let mut documents = EstateYamlByPath::new();
    for kind in ESTATE_FOLDERS {
        for (file, text) in read_texts(&folder.join(kind))? {
            documents.insert(format!("{kind}/{file}"), text);
        }
    }
    format::estate::parse_estate_yaml(&documents).map_err(|errors| unreadable(folder, &errors))
}

/// One channel that holds every component of the folder.
fn read_catalog(folder: &Path) -> Result<ComponentCatalog, ChoreFailure> {
    let mut catalog = ComponentCatalog::default();
    let channel =
        Name::new(INVENTORY_CHANNEL).map_err(|error| ChoreFailure::new(error.to_string(), "its name"))?;
    let visible = catalog.channels.entry(channel).or_default();
    for (file, text) in read_texts(folder)? {
        let component = read_component(&file, &text).map_err(|errors| unreadable(folder, &errors))?;
        let (name, version) = (component.name.clone(), component.version.clone());
        let package = |name: &str| {
            let file = format!("{name}-{version}.noarch.rpm");
            Arc::new(PackageFile { name: name.to_owned(), file, sha256: "0".repeat(64), size: 1 })
        };
        let payload = package(name.as_str());
        let deployment = package(&component.deployment_package_name());
        visible.insert(name.clone(), vec![version.clone()]);
        let published = Arc::new(ComponentVersionWithPackages { component, payload, deployment });
        catalog.components.insert(name, BTreeMap::from([(version, published)]));
    }
    Ok(catalog)
}

fn read_component(file: &str, text: &str) -> Result<Component, Vec<FormatError>> {
    let described = format::component::parse_component_yaml(file, text)?;
    let missing = || vec![FormatError::new(file, "name or version is missing")];
    let version = described.version.as_deref().ok_or_else(missing)?;
    Ok(Component {
        name: described.name.ok_or_else(missing)?,
        version: Version::new(version, Some(&described.release))
            .map_err(|error| vec![FormatError::new(file, error.to_string())])?,
        kind: described.kind,
        summary: described.summary,
        requires: described.requires,
        os_packages: described.os_packages,
        parameters: described.parameters,
        // Neither changes what is resolved.
        replaces: Vec::new(),
        setuid: Vec::new(),
    })
}

/// The files of a folder and their texts.
fn read_texts(folder: &Path) -> Result<Vec<(String, String)>, ChoreFailure> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_failure_maker_for_path("list", folder))? {
        let entry = entry.map_err(io_failure_maker_for_path("list", folder))?;
        let text =
            fs::read_to_string(entry.path()).map_err(io_failure_maker_for_path("read", &entry.path()))?;
        texts.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    Ok(texts)
}

fn unreadable(folder: &Path, errors: &[FormatError]) -> ChoreFailure {
    let lines: Vec<String> = errors.iter().map(FormatError::to_string).collect();
    ChoreFailure {
        output: lines.join("\n"),
        ..ChoreFailure::new("a file does not follow its format", folder.display().to_string())
    }
}

/// Every final value, by component and key.
fn values_as_json(node: &Node) -> serde_json::Value {
    let components = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let values = values.map(|(key, value)| (key.as_str().to_owned(), serde_json::json!(value.value)));
        (name.to_string(), serde_json::Value::Object(values.collect()))
    });
    serde_json::Value::Object(components.collect())
}

/// The most memory this process ever held.
fn peak_memory_kb() -> Result<u64, ChoreFailure> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(io_failure_maker_for_path("read", path))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| ChoreFailure::new("no VmHWM line", path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated_inventory::GeneratedInventory;

    #[test]
    fn every_server_of_the_inventory_has_all_values() {
        let folder = tempfile::tempdir().unwrap();
        GeneratedInventory::generate_inventory(2).write_as_estate_and_reclass(folder.path()).unwrap();
        let estate = read_estate(&folder.path().join("estate")).unwrap();
        let catalog = read_catalog(&folder.path().join("estate/catalog")).unwrap();
        for server in estate.servers.keys() {
            let node = Resolver::new(&estate, &catalog).resolve_server(server).unwrap().node;
            let values = node.components.values().map(|component| component.values.len());
            assert_eq!(values.sum::<usize>(), 550);
        }
    }
}
