//! An estate as a folder of YAML files: read strictly, written canonically.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use model::{
    format::{
        self,
        estate::{ESTATE_FOLDERS, EstateYamlByPath},
        yaml::{MAX_YAML_BYTES, VersionedYamlFormat},
    },
    suggest_spelling,
};
use serde::{Deserialize, Serialize};

use crate::command_error::{CommandError, io_error_reason_text};

/// The largest total size of the documents of a folder, in bytes.
const MAX_TOTAL_BYTES: usize = 256 * 1024 * 1024;

/// The file that names the revision a folder was exported from.
const BASE_FILE: &str = "estate.yaml";

/// Its content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseRevision {
    format: String,
    revision: u64,
}

impl VersionedYamlFormat for BaseRevision {
    const FORMAT: &'static str = "geppetto/estate/1";
    fn format(&self) -> &str {
        &self.format
    }
}

/// How deep folders below `roles/`, `servers/` and so on may be.
const MAX_SUBFOLDERS: usize = 8;

/// The documents of an estate folder.
#[derive(Debug, Default)]
pub(crate) struct EstateFolderYamlTexts {
    /// By their path in the estate: `servers/web-01.yaml`.
    pub(crate) documents: EstateYamlByPath,
    /// Where those are that lie in a subfolder: `servers/paris/web-01.yaml`, by their path in the estate.
    pub(crate) subfolder_paths: BTreeMap<String, String>,
    total_bytes: usize,
    errors: Vec<String>,
}

/// Reads the documents of a folder. Unexpected files are errors; all errors are reported together.
///
/// Names that start with a dot (`.git`) and a `README.md` at the top are ignored. Documents may lie in subfolders, which
/// have no meaning.
pub(crate) fn read_estate_yaml_files(folder: &Path) -> Result<EstateFolderYamlTexts, CommandError> {
    let mut content = EstateFolderYamlTexts::default();
    for (name, kind) in entries(folder).map_err(|error| unreadable(folder, &error))? {
        let known = name == "README.md" || name == BASE_FILE;
        if name.starts_with('.') || (known && kind.is_file()) {
            continue;
        }
        if !ESTATE_FOLDERS.contains(&name.as_str()) {
            content.errors.push(unexpected_entry(&name));
        } else if kind.is_symlink() {
            content.errors.push(format!(
                "{name} is a symbolic link; links are not followed, put the folder itself here"
            ));
        } else if !kind.is_dir() {
            content.errors.push(format!("{name} must be a folder"));
        } else {
            content.read_documents_below(folder, &name, 0);
        }
    }
    if content.errors.is_empty() {
        return Ok(content);
    }
    Err(CommandError::invalid_input_error(format!(
        "the folder `{}` cannot be imported:\n  {}",
        folder.display(),
        content.errors.join("\n  ")
    ))
    .with_hint(
        "an estate is only roles/NAME.yaml, groups/NAME.yaml, environments/NAME.yaml and servers/NAME.yaml, which may \
         lie in subfolders of these four",
    ))
}

impl EstateFolderYamlTexts {
    fn read_documents_below(&mut self, folder: &Path, below: &str, depth: usize) {
        if depth > MAX_SUBFOLDERS {
            return self.errors.push(format!("{below}: folders are nested more than {MAX_SUBFOLDERS} deep"));
        }
        let files = match entries(&folder.join(below)) {
            Ok(files) => files,
            Err(error) => {
                return self
                    .errors
                    .push(format!("{below} could not be read: {}", io_error_reason_text(&error)));
            }
        };
        for (file, kind) in files {
            let path = format!("{below}/{file}");
            if file.starts_with('.') {
                continue;
            } else if kind.is_symlink() {
                self.errors.push(format!(
                    "{path} is a symbolic link; links are not followed, put the file itself here"
                ));
            } else if kind.is_dir() {
                self.read_documents_below(folder, &path, depth + 1);
            } else if !kind.is_file() || !file.ends_with(".yaml") {
                let rename = path.strip_suffix(".yml").map(|stem| format!("; rename it to `{stem}.yaml`"));
                self.errors.push(format!("{path} is not a .yaml file{}", rename.unwrap_or_default()));
            } else {
                self.read_document(folder, path);
            }
        }
    }

    fn read_document(&mut self, folder: &Path, path: String) {
        let on_disk = folder.join(&path);
        let read = fs::metadata(&on_disk).and_then(|metadata| {
            // The size is checked before reading, so that a huge file does not fill the memory.
            if metadata.len() > MAX_YAML_BYTES as u64 {
                return Ok(Err(format!(
                    "{path} has {} bytes; at most {MAX_YAML_BYTES} are read",
                    metadata.len()
                )));
            }
            Ok(String::from_utf8(fs::read(&on_disk)?).map_err(|_| format!("{path} is not UTF-8 text")))
        });
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return self.errors.push(error),
            Err(error) => {
                return self
                    .errors
                    .push(format!("{path} could not be read: {}", io_error_reason_text(&error)));
            }
        };
        self.total_bytes += text.len();
        if self.total_bytes > MAX_TOTAL_BYTES {
            self.errors.push(format!("{path}: the files together have more than {MAX_TOTAL_BYTES} bytes"));
            return;
        }
        let name = path_in_estate(&path);
        if self.documents.contains_key(&name) {
            let first = self.subfolder_paths.get(&name).unwrap_or(&name);
            let kind = name.split('/').next().unwrap_or_default();
            self.errors
                .push(format!("{path} and {first} have the same name; names must be unique within {kind}/"));
            return;
        }
        if name != path {
            self.subfolder_paths.insert(name.clone(), path);
        }
        self.documents.insert(name, text);
    }
}

/// The path of a document without its subfolders: `servers/web-01.yaml`.
fn path_in_estate(path: &str) -> String {
    match (path.split_once('/'), path.rsplit_once('/')) {
        (Some((kind, _)), Some((_, file))) => format!("{kind}/{file}"),
        _ => path.to_owned(),
    }
}

/// Where the documents of a folder lie, by their path in the estate; nothing is read.
fn find_documents_below(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) -> io::Result<()> {
    for (file, kind) in entries(&folder.join(below))? {
        let path = format!("{below}/{file}");
        if kind.is_dir() && !file.starts_with('.') && path.matches('/').count() <= MAX_SUBFOLDERS {
            find_documents_below(folder, &path, found)?;
        } else if kind.is_file() && file.ends_with(".yaml") {
            found.insert(path_in_estate(&path), path);
        }
    }
    Ok(())
}

/// The entries of a folder, sorted by name; links are not followed.
fn entries(folder: &Path) -> io::Result<Vec<(String, fs::FileType)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is no UTF-8 is shown with replacement characters and then refused as not named right.
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.file_type()?));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn unexpected_entry(name: &str) -> String {
    match suggest_spelling(name, ESTATE_FOLDERS) {
        Some(meant) => format!("{name} does not belong here; did you mean {meant}/?"),
        None => format!("{name} does not belong here"),
    }
}

fn unreadable(folder: &Path, error: &io::Error) -> CommandError {
    let reason = io_error_reason_text(error);
    let failure = format!("the folder `{}` could not be read: {reason}", folder.display());
    match error.kind() {
        io::ErrorKind::NotFound => CommandError::invalid_input_error(failure).with_hint(
            "give the folder with roles/, servers/ and environments/; `punch export DIR` writes one",
        ),
        _ => CommandError::invalid_input_error(failure),
    }
}

/// Writes into a folder which revision it was exported from or last imported as.
pub(crate) fn write_base_revision(folder: &Path, revision: u64) -> Result<(), CommandError> {
    let base =
        format::yaml::to_yaml_text(&BaseRevision { format: BaseRevision::FORMAT.to_owned(), revision });
    fs::write(folder.join(BASE_FILE), base).map_err(|error| {
        CommandError::failed_halfway_error(format!(
            "`{}` could not be written: {error}",
            folder.join(BASE_FILE).display()
        ))
    })
}

/// Reads which revision a folder was exported from; `None` when there is no such file.
pub(crate) fn read_base_revision(folder: &Path) -> Result<Option<u64>, CommandError> {
    let wrong = |why: String| {
        CommandError::invalid_input_error(why).with_hint(format!(
            "`{BASE_FILE}` says which revision the folder is from; without the file no such check is made"
        ))
    };
    let path = folder.join(BASE_FILE);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(metadata) if metadata.is_file() && metadata.len() <= 4096 => {}
        _ => return Err(wrong(format!("`{}` is not a small file", path.display()))),
    }
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let base: BaseRevision =
        format::yaml::parse_versioned_yaml(BASE_FILE, &text).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(base.revision))
}

/// Writes the documents of an estate. Other documents in the folder are an error, or removed with `replace`.
pub(crate) fn write_estate_folder(
    folder: &Path,
    documents: &EstateYamlByPath,
    replace: bool,
) -> Result<(), CommandError> {
    let mut present = BTreeMap::new();
    for kind in ESTATE_FOLDERS {
        match find_documents_below(folder, kind, &mut present) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&folder.join(kind), &error)),
        }
    }
    if let Some(first) = present.values().next().filter(|_| !replace) {
        return Err(CommandError::invalid_input_error(format!(
            "there is an estate in `{}` already ({first})",
            folder.display()
        ))
        .with_hint("choose an empty folder, or give --replace to make it equal to what is exported"));
    }
    let failed = |path: &Path, error: io::Error| {
        CommandError::failed_halfway_error(format!("`{}` could not be written: {error}", path.display()))
    };
    for (path, text) in documents {
        // A document stays in the subfolder it is in.
        let path = present.get(path).unwrap_or(path);
        let target = folder.join(path);
        let parent = target.parent().unwrap_or(folder);
        // Values may be secrets: like the data folder, this is for its owner only.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|error| failed(parent, error))?;
        let aside = folder.join(format!("{path}.new"));
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&aside, &target))
            .map_err(|error| failed(&target, error))?;
    }
    for (_, path) in present.iter().filter(|(name, _)| !documents.contains_key(*name)) {
        let target = folder.join(path);
        fs::remove_file(&target).map_err(|error| failed(&target, error))?;
    }
    Ok(())
}
