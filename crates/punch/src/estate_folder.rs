//! An estate as a folder of YAML files: read strictly, written canonically.

use std::{
    collections::BTreeSet,
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

use crate::command_error::CommandError;

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

/// Reads the documents of a folder. Unexpected files are errors; all errors are reported together.
///
/// Names that start with a dot (`.git`) and a `README.md` at the top are ignored.
pub(crate) fn read_estate_folder(folder: &Path) -> Result<EstateYamlByPath, CommandError> {
    let mut documents = EstateYamlByPath::new();
    let mut errors = Vec::new();
    let mut total = 0;
    for (name, kind) in entries(folder).map_err(|error| unreadable(folder, &error))? {
        let known = name == "README.md" || name == BASE_FILE;
        if name.starts_with('.') || (known && kind.is_file()) {
            continue;
        }
        if !ESTATE_FOLDERS.contains(&name.as_str()) {
            errors.push(unexpected_entry(&name));
        } else if kind.is_symlink() {
            errors.push(format!(
                "{name} is a symbolic link; links are not followed, put the folder itself here"
            ));
        } else if !kind.is_dir() {
            errors.push(format!("{name} must be a folder"));
        } else {
            match entries(&folder.join(&name)) {
                Ok(files) => {
                    for (file, kind) in files {
                        read_document(folder, &name, &file, kind, &mut total, &mut documents, &mut errors);
                    }
                }
                Err(error) => errors.push(format!("{name} could not be read: {error}")),
            }
        }
    }
    if errors.is_empty() {
        return Ok(documents);
    }
    Err(CommandError::invalid_input_error(format!(
        "the folder `{}` cannot be imported:\n  {}",
        folder.display(),
        errors.join("\n  ")
    ))
    .with_hint(
        "an estate is only roles/NAME.yaml, groups/NAME.yaml, environments/NAME.yaml and servers/NAME.yaml",
    ))
}

fn read_document(
    folder: &Path,
    kind_folder: &str,
    file: &str,
    kind: fs::FileType,
    total: &mut usize,
    documents: &mut EstateYamlByPath,
    errors: &mut Vec<String>,
) {
    if file.starts_with('.') {
        return;
    }
    let path = format!("{kind_folder}/{file}");
    if kind.is_symlink() {
        errors.push(format!("{path} is a symbolic link; links are not followed, put the file itself here"));
        return;
    }
    if !kind.is_file() || !file.ends_with(".yaml") {
        let rename = path.strip_suffix(".yml").map(|stem| format!("; rename it to `{stem}.yaml`"));
        errors.push(format!("{path} is not a .yaml file{}", rename.unwrap_or_default()));
        return;
    }
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
    match read {
        Ok(Ok(text)) if *total + text.len() > MAX_TOTAL_BYTES => {
            errors.push(format!("{path}: the files together have more than {MAX_TOTAL_BYTES} bytes"));
        }
        Ok(Ok(text)) => {
            *total += text.len();
            documents.insert(path, text);
        }
        Ok(Err(error)) => errors.push(error),
        Err(error) => errors.push(format!("{path} could not be read: {error}")),
    }
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
    CommandError::invalid_input_error(format!("the folder `{}` could not be read: {error}", folder.display()))
}

/// Writes into a folder which revision it was exported from or last imported as.
pub(crate) fn write_base_revision(folder: &Path, revision: u64) -> Result<(), CommandError> {
    let base = format::yaml::write_yaml(&BaseRevision { format: BaseRevision::FORMAT.to_owned(), revision });
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
    let mut present = BTreeSet::new();
    for kind in ESTATE_FOLDERS {
        match entries(&folder.join(kind)) {
            Ok(files) => present.extend(
                files
                    .into_iter()
                    .filter(|(name, _)| name.ends_with(".yaml"))
                    .map(|(name, _)| format!("{kind}/{name}")),
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&folder.join(kind), &error)),
        }
    }
    if let Some(first) = present.iter().next().filter(|_| !replace) {
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
    for path in present.iter().filter(|path| !documents.contains_key(*path)) {
        let target = folder.join(path);
        fs::remove_file(&target).map_err(|error| failed(&target, error))?;
    }
    Ok(())
}
