//! What a generated component remembers of its archetype: `.geppetto/archetype.yaml` and `.geppetto/base/`.

use std::{fs, path::Path};

use model::{
    format::{FormatError, yaml},
    name::Name,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    AnswersByQuestion, Archetype, ArchetypeError, render::RenderedFilesByPath,
    write_file::write_component_file_atomically,
};

/// The folder of what is remembered.
const FOLDER: &str = ".geppetto";
/// Where that folder is while it is being replaced.
const OLD: &str = ".geppetto.old";
const FILE: &str = ".geppetto/archetype.yaml";
const FORMAT: &str = "geppetto/archetype-record/1";
/// The files as they were generated, without edits.
pub(super) const BASE_FILES_FOLDER: &str = ".geppetto/base";

/// What a component was generated from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchetypeRecord {
    format: String,
    /// The archetype.
    pub archetype: Name,
    /// Its version.
    pub version: u32,
    /// The archetype's folder, when it is not a built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The name the component was generated with.
    pub name: Name,
    /// What was answered.
    #[serde(default)]
    pub answers: AnswersByQuestion,
    /// SHA-256 over the generated files, so that an edited `.geppetto/base` is noticed.
    digest: String,
}

impl yaml::VersionedYamlFormat for ArchetypeRecord {
    const FORMAT: &'static str = FORMAT;

    fn format(&self) -> &str {
        &self.format
    }
}

impl ArchetypeRecord {
    pub(super) fn new(
        archetype: &Archetype,
        name: &Name,
        answers: &AnswersByQuestion,
        files: &RenderedFilesByPath,
    ) -> ArchetypeRecord {
        ArchetypeRecord {
            format: FORMAT.to_owned(),
            archetype: archetype.name.clone(),
            version: archetype.version,
            from: archetype.folder.as_ref().map(|folder| folder.display().to_string()),
            name: name.clone(),
            answers: answers.clone(),
            digest: digest(files),
        }
    }

    /// The digest over the files as generated.
    pub(super) fn recorded_base_files_digest(&self) -> &str {
        &self.digest
    }

    /// The files of the record, by path in the component's folder.
    pub(super) fn render_record_and_base_files(&self, base: &RenderedFilesByPath) -> RenderedFilesByPath {
        let head = "# What this component was generated from; `punch new --update` reads it. Keep it in version control.\n";
        let mut files: RenderedFilesByPath =
            base.iter().map(|(path, bytes)| (format!("{BASE_FILES_FOLDER}/{path}"), bytes.clone())).collect();
        files.insert(FILE.to_owned(), format!("{head}{}", yaml::to_yaml_text(self)).into_bytes());
        files
    }
}

/// Reads what the component in `dir` was generated from.
pub fn read_archetype_record(dir: &Path) -> Result<ArchetypeRecord, ArchetypeError> {
    let text = fs::read_to_string(dir.join(FILE)).map_err(|error| ArchetypeError::Folder {
        path: dir.to_path_buf(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("was not generated from an archetype: it has no `{FILE}`")
            }
            _ => format!("has a `{FILE}` that cannot be read: {error}"),
        },
    })?;
    Ok(yaml::parse_versioned_yaml(FILE, &text)?)
}

/// Replaces what is remembered; a crash leaves the old or the new, whole, and [`recover_interrupted_record_replacement`] finds it.
pub(super) fn replace_record_and_base_files(
    dir: &Path,
    record: &ArchetypeRecord,
    base: &RenderedFilesByPath,
) -> Result<(), ArchetypeError> {
    let cannot = |error: std::io::Error| ArchetypeError::Folder {
        path: dir.join(FOLDER),
        reason: format!("cannot be written: {error}; nothing is lost, repeat the update"),
    };
    let draft = tempfile::Builder::new().prefix(".geppetto-new-").tempdir_in(dir).map_err(cannot)?;
    for (path, bytes) in record.render_record_and_base_files(base) {
        write_component_file_atomically(draft.path(), &path, &bytes, None).map_err(cannot)?;
    }
    fs::rename(dir.join(FOLDER), dir.join(OLD)).map_err(cannot)?;
    fs::rename(draft.path().join(FOLDER), dir.join(FOLDER)).map_err(cannot)?;
    fs::remove_dir_all(dir.join(OLD)).map_err(cannot)
}

/// Finishes or takes back a [`replace_record_and_base_files`] that was cut off.
pub(super) fn recover_interrupted_record_replacement(dir: &Path) -> Result<(), ArchetypeError> {
    let old = dir.join(OLD);
    if old.symlink_metadata().is_err() {
        return Ok(());
    }
    let done =
        if dir.join(FOLDER).exists() { fs::remove_dir_all(&old) } else { fs::rename(&old, dir.join(FOLDER)) };
    done.map_err(|error| ArchetypeError::Folder {
        path: old,
        reason: format!("is left of an update that was cut off, and cannot be removed: {error}"),
    })
}

/// Reads the files as they were generated, and checks that they are unmodified.
pub(super) fn read_unmodified_base_files(
    dir: &Path,
    record: &ArchetypeRecord,
) -> Result<RenderedFilesByPath, ArchetypeError> {
    let mut found = RenderedFilesByPath::new();
    collect(dir, BASE_FILES_FOLDER, &mut found)?;
    if digest(&found) != record.digest {
        return Err(FormatError::new(
            BASE_FILES_FOLDER,
            "it is not what was generated any more, so nothing can be merged with it; restore it from version control",
        )
        .into());
    }
    Ok(found)
}

fn collect(dir: &Path, below: &str, found: &mut RenderedFilesByPath) -> Result<(), ArchetypeError> {
    let unreadable = |error: std::io::Error| FormatError::new(below, format!("it cannot be read: {error}"));
    for entry in fs::read_dir(dir.join(below)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = format!("{below}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            collect(dir, &path, found)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).map_err(unreadable)?;
            found.insert(path[BASE_FILES_FOLDER.len() + 1..].to_owned(), bytes);
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn digest(files: &RenderedFilesByPath) -> String {
    let mut hash = Sha256::new();
    for (path, bytes) in files {
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    hex::encode(hash.finalize())
}
