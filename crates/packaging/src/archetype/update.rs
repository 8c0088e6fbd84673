//! A newer archetype, or other answers, merged into a component that people have edited.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use model::format::FormatError;
use serde::{Deserialize, Serialize};

use super::{
    AnswersByQuestion, Archetype, ArchetypeError,
    archetype_record::{self, ArchetypeRecord, read_archetype_record},
    find_built_in_archetype,
    three_way_merge::{has_conflict_markers, merge_texts_three_way},
    update_journal::UpdateJournal,
    write_file::write_component_file_atomically,
};

/// What an update did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchetypeUpdateResult {
    /// The archetype's version before.
    pub from: u32,
    /// And now.
    pub to: u32,
    /// What happened to each file that the archetype changed, by path.
    pub files: Vec<(String, FileUpdateOutcome)>,
    /// Where the archetype's versions of files are that could not be merged, by the path of yours.
    pub beside: BTreeMap<String, String>,
}

/// What an update did to one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileUpdateOutcome {
    /// It is new.
    Added,
    /// It was unmodified, so it is now the archetype's new version.
    Replaced,
    /// Both had changed it, in different places.
    Merged,
    /// Both had changed the same lines; both versions are between marks.
    Conflicted,
    /// Both had changed it and it is not text: yours is untouched, the archetype's is beside it, where
    /// [`ArchetypeUpdateResult::beside`] says.
    Beside,
    /// The archetype no longer has it, and it was unmodified.
    Removed,
    /// The archetype has it no more, but you edited it.
    Kept,
    /// You had deleted it; the archetype's new version is only in `.geppetto/base`.
    StayedDeleted,
}

impl ArchetypeUpdateResult {
    /// The files a person has to look at.
    pub fn files_to_review(&self) -> impl Iterator<Item = &str> {
        self.files
            .iter()
            .filter(|(_, outcome)| {
                matches!(outcome, FileUpdateOutcome::Conflicted | FileUpdateOutcome::Beside)
            })
            .map(|(path, _)| path.as_str())
    }
}

/// What will be done to one file.
enum Step {
    Write(String, Vec<u8>, Option<u32>),
    Remove(String),
}

/// Merges the archetype a component was generated from, or `archetype` (a newer one from a folder), into it.
///
/// Answers given replace the recorded ones. Everything is read and merged before anything is written, and a
/// run that was cut off can be repeated.
pub fn update_component(
    dir: &Path,
    archetype: Option<&Archetype>,
    answers: &AnswersByQuestion,
) -> Result<ArchetypeUpdateResult, ArchetypeError> {
    archetype_record::recover_interrupted_record_replacement(dir)?;
    let record = read_archetype_record(dir)?;
    let found;
    let archetype = match (archetype, &record.from) {
        (Some(archetype), _) => archetype,
        (None, Some(folder)) => {
            found = Archetype::load_archetype_folder(Path::new(folder)).map_err(|error| {
                ArchetypeError::Answer(format!(
                    "{error}; the component was generated from that folder, maybe on another machine: name the archetype's folder with `--from FOLDER`"
                ))
            })?;
            &found
        }
        (None, None) => {
            found = find_built_in_archetype(record.archetype.as_str())?;
            &found
        }
    };
    if archetype.name != record.archetype {
        return Err(ArchetypeError::Answer(format!(
            "the component was generated from the archetype `{}`, so `{}` cannot be merged into it",
            record.archetype, archetype.name
        )));
    }
    if archetype.version < record.version {
        return Err(ArchetypeError::Answer(format!(
            "the component was generated from version {} of the archetype `{}`, and this is the older version {}; use a newer punch, or `--from FOLDER`",
            record.version, archetype.name, archetype.version
        )));
    }
    let base = archetype_record::read_unmodified_base_files(dir, &record)?;
    // A question the new version no longer asks has no answer any more.
    let mut all: AnswersByQuestion = record.answers.clone();
    all.retain(|key, _| archetype.questions.contains_key(key));
    all.extend(answers.clone());
    let all = archetype.complete_and_check_answers(&record.name, &all)?;
    let theirs = archetype.render_component_files(&record.name, &all)?;

    let new = ArchetypeRecord::new(archetype, &record.name, &all, &theirs);
    let mut update = Update {
        dir,
        label: format!("archetype {} {}", archetype.name, archetype.version),
        earlier: UpdateJournal::load_or_new_update_journal(dir, &new),
        steps: Vec::new(),
        beside: BTreeMap::new(),
    };
    let mut files = Vec::new();
    let paths: BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
    for path in paths {
        let ours = read(dir, path)?;
        if let Some(outcome) = update.merge_file(path, base.get(path), ours, theirs.get(path))? {
            files.push((path.clone(), outcome));
        }
    }
    let outcomes: BTreeMap<&String, FileUpdateOutcome> =
        files.iter().map(|(path, outcome)| (path, *outcome)).collect();
    let Update { mut earlier, steps, beside, .. } = update;
    for step in &steps {
        if let Step::Write(path, bytes, _) = step
            && let Some(outcome) = outcomes.get(path)
        {
            earlier.record_planned_file_digest(path, *outcome, bytes);
        }
    }
    earlier.save_update_journal(dir)?;
    for step in steps {
        let (path, done) = match &step {
            Step::Write(path, bytes, mode) => {
                (path, write_component_file_atomically(dir, path, bytes, *mode))
            }
            Step::Remove(path) => (path, fs::remove_file(dir.join(path))),
        };
        match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(folder(
                    dir.join(path),
                    format!("cannot be written: {error}; nothing is lost, repeat the update"),
                ));
            }
            _ => (),
        }
    }
    archetype_record::replace_record_and_base_files(dir, &new, &theirs)?;
    Ok(ArchetypeUpdateResult { from: record.version, to: archetype.version, files, beside })
}

/// Your version of a file: its bytes and permissions.
type Ours = Option<(Vec<u8>, u32)>;

fn read(dir: &Path, path: &str) -> Result<Ours, ArchetypeError> {
    let full = dir.join(path);
    let outside = || {
        folder(
            full.clone(),
            "is reached through a symbolic link; an update writes only plain files, so replace the link"
                .to_owned(),
        )
    };
    for parent in Path::new(path).ancestors().skip(1) {
        if dir.join(parent).symlink_metadata().is_ok_and(|found| found.is_symlink())
            && parent != Path::new("")
        {
            return Err(outside());
        }
    }
    match full.symlink_metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(folder(full, format!("cannot be looked at: {error}"))),
        Ok(found) if found.is_symlink() => Err(outside()),
        Ok(found) if !found.is_file() => {
            Err(folder(full, "is no file, but the archetype has a file there; move it away".to_owned()))
        }
        Ok(found) => match fs::read(&full) {
            Ok(bytes) => Ok(Some((bytes, found.permissions().mode() & 0o7777))),
            Err(error) => Err(folder(full, format!("cannot be read: {error}"))),
        },
    }
}

/// An update while it is being thought through: nothing is written yet.
struct Update<'a> {
    dir: &'a Path,
    /// What the archetype's side of a conflict is called.
    label: String,
    /// What the same update did before it was cut off.
    earlier: UpdateJournal,
    steps: Vec<Step>,
    beside: BTreeMap<String, String>,
}

impl Update<'_> {
    fn merge_file(
        &mut self,
        path: &str,
        base: Option<&Vec<u8>>,
        ours: Ours,
        theirs: Option<&Vec<u8>>,
    ) -> Result<Option<FileUpdateOutcome>, ArchetypeError> {
        if base == theirs {
            return Ok(None);
        }
        if let Some((ours, _)) = &ours
            && let Some(outcome) = self.earlier.outcome_of_already_written_file(path, ours)
        {
            return Ok(Some(outcome));
        }
        Ok(Some(match (base, ours, theirs) {
            (None, None, Some(theirs)) => {
                self.write(path, theirs, None);
                FileUpdateOutcome::Added
            }
            (Some(_), None, Some(_)) => FileUpdateOutcome::StayedDeleted,
            (_, None, None) => return Ok(None),
            (Some(base), Some((ours, _)), None) if *base == ours => {
                self.steps.push(Step::Remove(path.to_owned()));
                FileUpdateOutcome::Removed
            }
            (_, Some(_), None) => FileUpdateOutcome::Kept,
            (_, Some((ours, _)), Some(theirs)) if ours == *theirs => return Ok(None),
            (Some(base), Some((ours, mode)), Some(theirs)) if *base == ours => {
                self.write(path, theirs, Some(now_executable(mode, &ours, theirs)));
                FileUpdateOutcome::Replaced
            }
            (base, Some((ours, mode)), Some(theirs)) => {
                let nothing = Vec::new();
                match (text(base.unwrap_or(&nothing)), text(&ours), text(theirs)) {
                    (Some(base), Some(ours), Some(theirs)) => {
                        if has_conflict_markers(ours) {
                            return Err(FormatError::new(
                                path,
                                "it still has conflict marks (`<<<<<<< yours`) of an earlier update; resolve them first",
                            )
                            .into());
                        }
                        let merged = merge_texts_three_way(base, ours, theirs, &self.label);
                        let bytes = merged.text.as_bytes();
                        self.write(path, bytes, Some(now_executable(mode, ours.as_bytes(), bytes)));
                        if merged.conflicts == 0 {
                            FileUpdateOutcome::Merged
                        } else {
                            FileUpdateOutcome::Conflicted
                        }
                    }
                    _ => {
                        let beside = self.free_beside(path, theirs)?;
                        self.write(&beside, theirs, None);
                        self.beside.insert(path.to_owned(), beside);
                        FileUpdateOutcome::Beside
                    }
                }
            }
        }))
    }

    fn write(&mut self, path: &str, bytes: &[u8], mode: Option<u32>) {
        self.steps.push(Step::Write(path.to_owned(), bytes.to_vec(), mode));
    }

    /// An unused name for the archetype's version of `path`, or that of a file with the same content.
    fn free_beside(&self, path: &str, theirs: &[u8]) -> Result<String, ArchetypeError> {
        let names = (1..1000).map(|count| match count {
            1 => format!("{path}.archetype"),
            _ => format!("{path}.{count}.archetype"),
        });
        for name in names {
            match self.dir.join(&name).symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name),
                Ok(found)
                    if found.is_file() && fs::read(self.dir.join(&name)).is_ok_and(|held| held == theirs) =>
                {
                    return Ok(name);
                }
                _ => (),
            }
        }
        let reason = "has a thousand versions of archetypes beside it; remove those you do not need";
        Err(folder(self.dir.join(path), reason.to_owned()))
    }
}

/// The permissions of a file that gets new content: what becomes a program may be executed by who may read it.
fn now_executable(mode: u32, before: &[u8], after: &[u8]) -> u32 {
    if after.starts_with(b"#!") && !before.starts_with(b"#!") { mode | (mode & 0o444) >> 2 } else { mode }
}

fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) { None } else { std::str::from_utf8(bytes).ok() }
}

fn folder(path: PathBuf, reason: String) -> ArchetypeError {
    ArchetypeError::Folder { path, reason }
}
