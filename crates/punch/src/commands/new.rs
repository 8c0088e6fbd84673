//! `punch new`: makes a component of an archetype, and later merges a newer archetype into it.

use std::path::{Path, PathBuf};

use model::{
    exit::Exit,
    name::{Key, Name},
};
use packaging::archetype::{self, AnswersByQuestion, Archetype, ArchetypeError, FileUpdateOutcome};
use serde::Serialize;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Make a new component of an archetype, or merge a newer archetype into one
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch new web-service shop\n  punch new web-service shop --set port=9000 --dir services/shop\n  \
    punch new our-service shop --from our-archetypes\n  punch new --update --dir shop\n\n\
    An update merges three ways: what you changed, what the archetype changed, and what it was before.\n\
    What both changed is marked with conflict marks, and the exit code is 1."
)]
pub(crate) struct NewArgs {
    /// Archetype; `punch archetypes` lists them
    #[arg(required_unless_present = "update", conflicts_with = "update")]
    archetype: Option<String>,
    /// Name of the new component
    #[arg(required_unless_present = "update", conflicts_with = "update")]
    name: Option<String>,
    /// Merge the newest version of its archetype into the component in --dir
    #[arg(long)]
    update: bool,
    /// Answer to a question of the archetype; as often as needed
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = answer)]
    answers: Vec<(Key, String)>,
    /// Folder of the component; the component's name for a new one, this folder for an update
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Folder of an archetype, or of several, instead of the built-in ones
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
}

/// What `--json` prints for a new component.
#[derive(Serialize)]
struct Made {
    component: String,
    archetype: String,
    archetype_version: u32,
    dir: String,
    files: Vec<String>,
}

/// What `--json` prints for an update.
#[derive(Serialize)]
struct Merged {
    from_version: u32,
    to_version: u32,
    files: Vec<MergedFile>,
}

#[derive(Serialize)]
struct MergedFile {
    file: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
}

impl NewArgs {
    pub(super) fn run_new_or_update_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let answers: AnswersByQuestion = self.answers.iter().cloned().collect();
        match (&self.archetype, &self.name) {
            (Some(archetype), Some(name)) => {
                let found = find(archetype, self.from.as_deref())?;
                self.make(context, &found, name, &answers)
            }
            _ => self.update(context, &answers),
        }
    }

    fn make(
        &self,
        context: &CommandContext,
        archetype: &Archetype,
        name: &str,
        answers: &AnswersByQuestion,
    ) -> Result<Exit, CommandError> {
        let name: Name = name.parse().map_err(|error: model::name::NameError| {
            CommandError::invalid_input_error(error.to_string()).with_hint(
                "a component's name is the name of its package, its folder and its user: `shop`, `web-base`",
            )
        })?;
        let dir = self.dir.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
        // It takes a moment, and its folder is there whole or not at all.
        let _deferred = context.interruption.defer_interruption();
        let files = archetype::generate_component(archetype, &name, answers, &dir)
            .map_err(command_error_from_archetype_error)?;
        for file in &files {
            context.output.print_line_unless_json(dir.join(file).display().to_string());
        }
        let shown = dir.display();
        context.output.print_note_to_stderr(format!(
            "made the {} `{name}` in {shown}; next: punch test {shown}, punch package {shown}",
            archetype.name
        ));
        context.output.print_json_if_requested(&Made {
            component: name.to_string(),
            archetype: archetype.name.to_string(),
            archetype_version: archetype.version,
            dir: shown.to_string(),
            files,
        });
        Ok(Exit::Done)
    }

    fn update(&self, context: &CommandContext, answers: &AnswersByQuestion) -> Result<Exit, CommandError> {
        let dir = self.dir.clone().unwrap_or_else(|| PathBuf::from("."));
        let newer = match &self.from {
            Some(folder) => {
                let record =
                    archetype::read_archetype_record(&dir).map_err(command_error_from_archetype_error)?;
                Some(find(record.archetype.as_str(), Some(folder))?)
            }
            None => None,
        };
        let _deferred = context.interruption.defer_interruption();
        let updated = archetype::update_component(&dir, newer.as_ref(), answers)
            .map_err(command_error_from_archetype_error)?;
        for (file, outcome) in &updated.files {
            let beside = updated.beside.get(file).map(|path| format!(" -> {path}")).unwrap_or_default();
            context.output.print_line_unless_json(format!("{:14} {file}{beside}", word(*outcome)));
        }
        context.output.print_json_if_requested(&Merged {
            from_version: updated.from,
            to_version: updated.to,
            files: updated
                .files
                .iter()
                .map(|(file, outcome)| MergedFile {
                    file: file.clone(),
                    outcome: word(*outcome),
                    beside: updated.beside.get(file).cloned(),
                })
                .collect(),
        });
        match updated.files_to_review().count() {
            0 if updated.files.is_empty() => {
                context.output.print_note_to_stderr(format!(
                    "nothing to merge: it is at version {} already",
                    updated.to
                ));
                Ok(Exit::Done)
            }
            0 => {
                context.output.print_note_to_stderr(format!(
                    "merged version {} of the archetype over {}",
                    updated.to, updated.from
                ));
                Ok(Exit::Done)
            }
            conflicts => {
                context.output.print_note_to_stderr(format!(
                    "{conflicts} files need you: look for <<<<<<< and >>>>>>> in those called `conflict`, and compare \
                     those called `beside` with the archetype's version after the arrow"
                ));
                Ok(Exit::Input)
            }
        }
    }
}

/// A built-in archetype, or one in a folder: the folder itself, or the one of that name in it.
fn find(name: &str, from: Option<&Path>) -> Result<Archetype, CommandError> {
    let Some(folder) = from else {
        return archetype::find_built_in_archetype(name).map_err(command_error_from_archetype_error);
    };
    let itself = folder.join("archetype.yaml").is_file();
    let name = Name::new(name).map_err(|error| CommandError::invalid_input_error(error.to_string()))?;
    let dir = if itself { folder.to_owned() } else { folder.join(name.as_str()) };
    let found = Archetype::load_archetype_folder(&dir).map_err(|error| {
        command_error_from_archetype_error(error)
            .with_hint(format!("`punch archetypes --from {}` lists what is there", folder.display()))
    })?;
    if found.name != name {
        return Err(CommandError::invalid_input_error(format!(
            "{} is the archetype `{}`, not `{name}`",
            dir.display(),
            found.name
        )));
    }
    Ok(found)
}

fn answer(text: &str) -> Result<(Key, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for instance port=8080")?;
    Ok((key.parse().map_err(|error: model::name::NameError| error.to_string())?, value.to_owned()))
}

fn word(outcome: FileUpdateOutcome) -> &'static str {
    match outcome {
        FileUpdateOutcome::Added => "added",
        FileUpdateOutcome::Replaced => "replaced",
        FileUpdateOutcome::Merged => "merged",
        FileUpdateOutcome::Conflicted => "conflict",
        FileUpdateOutcome::Beside => "beside",
        FileUpdateOutcome::Removed => "removed",
        FileUpdateOutcome::Kept => "kept",
        FileUpdateOutcome::StayedDeleted => "stayed-deleted",
    }
}

/// What archetypes refuse is the user's input.
pub(super) fn command_error_from_archetype_error(error: ArchetypeError) -> CommandError {
    CommandError::invalid_input_error(error.to_string())
}
