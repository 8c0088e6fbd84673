//! Archetypes: templates that generate a component, and later merge their newer versions into it.
//!
//! An archetype is a folder: `archetype.yaml` holds its name, version and questions; what is below `files/`
//! becomes the component. A file ending in `.tmpl` is rendered with the answers and loses that ending; any
//! other is copied as it is, so that the templates of a deployment keep their own `{{ }}`. `__KEY__` in a path
//! is replaced by the answer to KEY. A file that starts with `#!` is executable.

mod archetype_record;
mod built_in;
mod generate;
mod render;
mod three_way_merge;
mod update;
mod update_journal;
mod write_file;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::{
    format::{FormatError, yaml},
    name::{Key, Name},
    parameter::ParameterType,
    suggest_spelling,
};
use serde::{Deserialize, Serialize};

pub use archetype_record::{ArchetypeRecord, read_archetype_record};
pub use generate::generate_component;
pub use three_way_merge::{ThreeWayMergeResult, merge_texts_three_way};
pub use update::{ArchetypeUpdateResult, FileUpdateOutcome, update_component};

/// What was answered, by question.
pub type AnswersByQuestion = BTreeMap<Key, String>;

/// The description at the top of an archetype's folder.
const FILE: &str = "archetype.yaml";
/// The format of that file.
const FORMAT: &str = "geppetto/archetype/1";
/// The largest file an archetype may hold, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A template of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archetype {
    /// Its name: `web-service`.
    pub name: Name,
    /// Counts its versions; a newer one can be merged into what an older one generated.
    pub version: u32,
    /// One line about it.
    pub summary: String,
    /// What it asks.
    pub questions: BTreeMap<Key, ArchetypeQuestion>,
    /// Its folder, when it is not built in.
    pub folder: Option<PathBuf>,
    /// Its files, by path below `files/`.
    files: BTreeMap<String, Vec<u8>>,
}

/// Something an archetype asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchetypeQuestion {
    /// What is asked, in one sentence.
    pub description: String,
    /// The default answer; may use `{{ name }}` and the other words templates know.
    pub default: Option<String>,
    /// The type of the answer, as of parameters; `list`, `string-list` and `map` are none here.
    #[serde(default = "text", rename = "type")]
    pub kind: ParameterType,
    /// The only answers allowed, if there are any.
    #[serde(default)]
    pub one_of: Vec<String>,
}

fn text() -> ParameterType {
    ParameterType::String
}

/// Why an archetype could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchetypeError {
    /// There is none of this name.
    #[error(
        "there is no archetype `{name}`{hint} (`punch archetypes` lists them, `--from FOLDER` takes another)"
    )]
    Unknown {
        /// The name asked for.
        name: String,
        /// `, did you mean ...?`, or nothing.
        hint: String,
    },
    /// The archetype itself is wrong.
    #[error("the archetype is wrong: {0}")]
    Wrong(#[from] FormatError),
    /// An answer is wrong or missing.
    #[error("{0}")]
    Answer(String),
    /// What it generated is not a component.
    #[error("what archetype `{archetype}` generated is not a component: {}", join(errors))]
    Result {
        /// The archetype's name.
        archetype: Name,
        /// What is wrong with it.
        errors: Vec<FormatError>,
    },
    /// The folder is not one a component can be generated or updated in.
    #[error("`{}` {reason}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
}

fn join(errors: &[FormatError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "archetype.yaml")]
struct Description {
    /// The version of this format: `geppetto/archetype/1`.
    format: String,
    /// The archetype's name.
    #[schemars(with = "String")]
    name: Name,
    /// Counts its versions, from 1.
    version: u32,
    /// One line about it.
    summary: String,
    /// What it asks, by key.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ArchetypeQuestion>")]
    answers: BTreeMap<Key, ArchetypeQuestion>,
}

impl yaml::VersionedYamlFormat for Description {
    const FORMAT: &'static str = FORMAT;

    fn format(&self) -> &str {
        &self.format
    }
}

/// The JSON Schema of `archetype.yaml`, for editors.
pub fn archetype_json_schema() -> serde_json::Value {
    schemars::schema_for!(Description).to_value()
}

/// The archetypes this program brings along, by name.
pub fn list_built_in_archetypes() -> Vec<Archetype> {
    built_in::BUILT_IN_ARCHETYPE_FILES
        .iter()
        .filter_map(|files| Archetype::assemble(files.iter().copied()).ok())
        .collect()
}

/// Finds a built-in archetype.
pub fn find_built_in_archetype(name: &str) -> Result<Archetype, ArchetypeError> {
    let all = list_built_in_archetypes();
    let names: Vec<&str> = all.iter().map(|archetype| archetype.name.as_str()).collect();
    let hint =
        suggest_spelling(name, names).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    all.into_iter().find(|archetype| archetype.name.as_str() == name).ok_or_else(|| {
        let name = name.chars().filter(|c| !c.is_control()).take(80).collect();
        ArchetypeError::Unknown { name, hint }
    })
}

impl Archetype {
    /// Reads the archetype in the folder `dir`.
    pub fn load_archetype_folder(dir: &Path) -> Result<Archetype, ArchetypeError> {
        let wrong = |reason: String| ArchetypeError::Folder { path: dir.to_path_buf(), reason };
        let root = dir.canonicalize().map_err(|error| wrong(format!("cannot be opened: {error}")))?;
        if !root.join(FILE).is_file() {
            return Err(wrong(format!("is no archetype: it has no `{FILE}`")));
        }
        let mut found = Vec::new();
        read_folder(&root, "", &mut found)?;
        let files: Vec<(&str, &[u8])> =
            found.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let mut archetype = Archetype::assemble(files.into_iter())?;
        archetype.folder = Some(root);
        Ok(archetype)
    }

    fn assemble<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Archetype, ArchetypeError> {
        let mut description = None;
        let mut below = BTreeMap::new();
        for (path, bytes) in files {
            if path == FILE {
                let text =
                    std::str::from_utf8(bytes).map_err(|_| FormatError::new(FILE, "it is not UTF-8 text"))?;
                description = Some(yaml::parse_versioned_yaml::<Description>(FILE, text)?);
            } else if let Some(path) = path.strip_prefix("files/") {
                below.insert(path.to_owned(), bytes.to_vec());
            }
        }
        let description = description.ok_or_else(|| FormatError::new(FILE, "it is missing"))?;
        if below.is_empty() {
            return Err(FormatError::new("files", "there is nothing in it to generate").into());
        }
        for (key, question) in &description.answers {
            if matches!(question.kind, ParameterType::List | ParameterType::StringList | ParameterType::Map) {
                let message = format!("the answer `{key}` is one text, so it cannot be a list or a map");
                return Err(FormatError::new(FILE, message).into());
            }
            if render::BUILT_IN_TEMPLATE_VARIABLES.contains(&key.as_str()) {
                let message =
                    format!("the answer `{key}` has the name of something every template knows; rename it");
                return Err(FormatError::new(FILE, message).into());
            }
        }
        Ok(Archetype {
            name: description.name,
            version: description.version,
            summary: description.summary,
            questions: description.answers,
            folder: None,
            files: below,
        })
    }
}

/// Reads the description and everything below `files/`; links are refused, so that nothing else can be read.
fn read_folder(root: &Path, below: &str, found: &mut Vec<(String, Vec<u8>)>) -> Result<(), ArchetypeError> {
    let wrong = |path: &Path, reason: String| ArchetypeError::Folder { path: path.to_path_buf(), reason };
    let dir = root.join(below);
    let unreadable = |error: std::io::Error| wrong(&dir, format!("cannot be read: {error}"));
    let mut entries = Vec::new();
    for entry in fs::read_dir(&dir).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            return Err(wrong(&entry.path(), "has a name that is not UTF-8; rename it".to_owned()));
        };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if below.is_empty() && path != FILE && path != "files" {
            continue;
        }
        let metadata = entry.path().symlink_metadata().map_err(unreadable)?;
        if metadata.is_dir() && path.matches('/').count() < 32 {
            read_folder(root, &path, found)?;
        } else if metadata.is_file() && metadata.len() <= MAX_FILE {
            let bytes = fs::read(entry.path())
                .map_err(|error| wrong(&entry.path(), format!("cannot be read: {error}")))?;
            found.push((path, bytes));
        } else {
            return Err(wrong(
                &entry.path(),
                "cannot be part of an archetype: only files up to 16 MiB and folders can".to_owned(),
            ));
        }
    }
    Ok(())
}
