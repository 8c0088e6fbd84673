//! `cargo xtask resolve-estate FOLDER`: reads an estate and its catalog from a folder and resolves all servers.
//!
//! It exists to be timed and compared: it loads, resolves, and prints a digest. What it needs of `model` is here and
//! nowhere else in the chores.

use std::{
    collections::BTreeMap,
    fs,
    hash::Hasher,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{
    catalog::{Catalog, CatalogVersion, PackageFile},
    component::Component,
    estate::Estate,
    format::{
        self, FormatError,
        estate::{ESTATE_FOLDERS, EstateDocuments},
    },
    name::{Name, ServerName},
    node::Node,
    resolve::Resolver,
    value::Value,
    version::Version,
};

use crate::{
    command_failure::{CommandFailure, io},
    inventory::CHANNEL,
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
}

/// Loads, resolves and prints.
pub(crate) fn run(arguments: &ResolveEstateArgs) -> Result<(), CommandFailure> {
    let folder = &arguments.folder;
    let estate = read_estate(folder)?;
    let catalog = read_catalog(&folder.join("catalog"))?;
    let resolver = Resolver::new(&estate, &catalog);
    let resolve = |server: &ServerName| {
        resolver.resolve(server).map_err(|error| {
            CommandFailure::new(format!("{server} cannot be resolved: {error}"), folder.display().to_string())
        })
    };
    if let Some(count) = arguments.json_sample {
        let step = (estate.servers.len() / count.max(1)).max(1);
        let mut sample = serde_json::Map::new();
        for server in estate.servers.keys().step_by(step).take(count) {
            sample.insert(server.to_string(), values_as_json(&resolve(server)?));
        }
        output::print_line(&serde_json::Value::Object(sample).to_string());
        return Ok(());
    }
    let servers: Vec<&ServerName> = match &arguments.server {
        Some(server) => vec![server],
        None => estate.servers.keys().collect(),
    };
    let mut digest = WordHasher::default();
    for server in &servers {
        add_node(&mut digest, &resolve(server)?);
    }
    output::print_line(&format!("{} servers, digest {:016x}", servers.len(), digest.finish()));
    output::print_line(&format!("peak memory: {} kB", peak_memory_kb()?));
    Ok(())
}

fn read_estate(folder: &Path) -> Result<Estate, CommandFailure> {
    let mut documents = EstateDocuments::new();
    for kind in ESTATE_FOLDERS {
        for (file, text) in read_texts(&folder.join(kind))? {
            documents.insert(format!("{kind}/{file}"), text);
        }
    }
    format::estate::read(&documents).map_err(|errors| unreadable(folder, &errors))
}

/// One channel that holds every component of the folder.
fn read_catalog(folder: &Path) -> Result<Catalog, CommandFailure> {
    let mut catalog = Catalog::default();
    let channel = Name::new(CHANNEL).map_err(|error| CommandFailure::new(error.to_string(), "its name"))?;
    let visible = catalog.channels.entry(channel).or_default();
    for (file, text) in read_texts(folder)? {
        let component = read_component(&file, &text).map_err(|errors| unreadable(folder, &errors))?;
        let (name, version) = (component.name.clone(), component.version.clone());
        let package = |name: &str| PackageFile {
            name: name.to_owned(),
            file: format!("{name}-{version}.noarch.rpm"),
            sha256: "0".repeat(64),
            size: 1,
        };
        let payload = package(name.as_str());
        let deployment = package(&component.deployment_package_name());
        visible.insert(name.clone(), vec![version.clone()]);
        let published = Arc::new(CatalogVersion { component, payload, deployment });
        catalog.components.insert(name, BTreeMap::from([(version, published)]));
    }
    Ok(catalog)
}

fn read_component(file: &str, text: &str) -> Result<Component, Vec<FormatError>> {
    let described = format::component::read(file, text)?;
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
    })
}

/// The files of a folder and their texts.
fn read_texts(folder: &Path) -> Result<Vec<(String, String)>, CommandFailure> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let entry = entry.map_err(io("list", folder))?;
        let text = fs::read_to_string(entry.path()).map_err(io("read", &entry.path()))?;
        texts.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    Ok(texts)
}

fn unreadable(folder: &Path, errors: &[FormatError]) -> CommandFailure {
    let lines: Vec<String> = errors.iter().map(FormatError::to_string).collect();
    CommandFailure {
        output: lines.join("\n"),
        ..CommandFailure::new("a file does not follow its format", folder.display().to_string())
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

fn add_node(digest: &mut WordHasher, node: &Node) {
    digest.write(node.server.as_str().as_bytes());
    for (name, component) in &node.components {
        digest.write(name.as_str().as_bytes());
        for (key, value) in &component.values {
            digest.write(key.as_str().as_bytes());
            add_value(digest, &value.value);
        }
    }
}

fn add_value(digest: &mut WordHasher, value: &Value) {
    match value {
        Value::Null => digest.write_u8(0),
        Value::Boolean(flag) => digest.write_u8(1 + u8::from(*flag)),
        Value::Integer(number) => digest.write_i64(*number),
        Value::Number(number) => digest.write_u64(number.to_bits()),
        Value::Text(text) => digest.write(text.as_bytes()),
        Value::List(items) => items.iter().for_each(|item| add_value(digest, item)),
        Value::Map(map) => {
            for (key, value) in map {
                digest.write(key.as_bytes());
                add_value(digest, value);
            }
        }
    }
}

/// A hash of eight bytes at a time: it must cost little beside what is timed, and nobody attacks it.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        let rest = chunks.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(rest << 8 | bytes.len() as u64 & 0xff);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The most memory this process ever held.
fn peak_memory_kb() -> Result<u64, CommandFailure> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(io("read", path))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| CommandFailure::new("no VmHWM line", path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Inventory;

    #[test]
    fn every_server_of_the_inventory_has_all_values() {
        let folder = tempfile::tempdir().unwrap();
        Inventory::generate(2).write_both(folder.path()).unwrap();
        let estate = read_estate(&folder.path().join("estate")).unwrap();
        let catalog = read_catalog(&folder.path().join("estate/catalog")).unwrap();
        for server in estate.servers.keys() {
            let node = Resolver::new(&estate, &catalog).resolve(server).unwrap();
            let values = node.components.values().map(|component| component.values.len());
            assert_eq!(values.sum::<usize>(), 550);
        }
    }
}
