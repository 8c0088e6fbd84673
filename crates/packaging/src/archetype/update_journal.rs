//! What an update is about to write, remembered until it is through: a run that was cut off can be repeated.
//!
//! The journal lies in `.geppetto/`, which the update replaces as its last step; so there is one exactly as long
//! as an update is not through. Without it, a repeated update would take what the first one merged for edits.

use std::{collections::BTreeMap, fs, path::Path};

use model::format::yaml;
use serde::{Deserialize, Serialize};

use super::{
    ArchetypeError, FileUpdateOutcome,
    archetype_record::{ArchetypeRecord, sha256_hex},
    write_file::write_component_file_atomically,
};

const FILE: &str = ".geppetto/update.yaml";
const FORMAT: &str = "geppetto/archetype-update/1";

/// The changes of one update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateJournal {
    format: String,
    /// The digest of the files the archetype gives; another update's journal does not apply to this one.
    target: String,
    /// Each file that changes: what happens to it, and the digest of what will be in it.
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    outcome: FileUpdateOutcome,
    sha256: String,
}

impl yaml::VersionedYamlFormat for UpdateJournal {
    const FORMAT: &'static str = FORMAT;

    fn format(&self) -> &str {
        &self.format
    }
}

impl UpdateJournal {
    /// The journal of the update to `new` in `dir` that was cut off, or an empty one.
    pub(super) fn load_or_new_update_journal(dir: &Path, new: &ArchetypeRecord) -> UpdateJournal {
        let empty = UpdateJournal {
            format: FORMAT.to_owned(),
            target: new.recorded_base_files_digest().to_owned(),
            files: BTreeMap::new(),
        };
        // One that cannot be read was cut off itself, before the first change.
        let found = fs::read_to_string(dir.join(FILE)).ok();
        let found = found.and_then(|text| yaml::parse_versioned_yaml::<UpdateJournal>(FILE, &text).ok());
        found.filter(|found| found.target == empty.target).unwrap_or(empty)
    }

    /// Notes that `path` will hold `bytes`.
    pub(super) fn record_planned_file_digest(
        &mut self,
        path: &str,
        outcome: FileUpdateOutcome,
        bytes: &[u8],
    ) {
        self.files.insert(path.to_owned(), Entry { outcome, sha256: sha256_hex(bytes) });
    }

    /// What was done to `path`, if it holds what the update wrote.
    pub(super) fn outcome_of_already_written_file(
        &self,
        path: &str,
        bytes: &[u8],
    ) -> Option<FileUpdateOutcome> {
        self.files.get(path).filter(|entry| entry.sha256 == sha256_hex(bytes)).map(|entry| entry.outcome)
    }

    /// Writes it, before the first change.
    pub(super) fn save_update_journal(&self, dir: &Path) -> Result<(), ArchetypeError> {
        let head = "# An update that is not through: run `punch new --update` again.\n";
        let text = format!("{head}{}", yaml::to_yaml_text(self));
        write_component_file_atomically(dir, FILE, text.as_bytes(), None).map_err(|error| {
            ArchetypeError::Folder {
                path: dir.join(FILE),
                reason: format!("cannot be written: {error}; nothing was changed"),
            }
        })
    }
}
