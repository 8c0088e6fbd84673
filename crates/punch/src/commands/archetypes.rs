//! `punch archetypes`: what components can be made of.

use std::path::{Path, PathBuf};

use model::exit::Exit;
use packaging::archetype::{self, Archetype};
use serde::Serialize;

use super::new::command_error_from_archetype_error;
use crate::{command_context::CommandContext, command_error::CommandError};

/// List the archetypes: the templates `punch new` makes components of
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch archetypes\n  punch archetypes --from our-archetypes --json")]
pub(crate) struct ArchetypesArgs {
    /// List those in a folder instead of the built-in ones
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
}

/// One archetype, as `--json` prints it.
#[derive(Serialize)]
struct Listed {
    name: String,
    version: u32,
    summary: String,
    questions: Vec<Asked>,
}

#[derive(Serialize)]
struct Asked {
    key: String,
    description: String,
    default: Option<String>,
    one_of: Vec<String>,
}

impl ArchetypesArgs {
    pub(super) fn run_archetypes_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let all = match &self.from {
            Some(folder) => in_folder(folder)?,
            None => archetype::list_built_in_archetypes(),
        };
        context.output.hold_output_for_pager();
        let width = all.iter().map(|archetype| archetype.name.as_str().len()).max().unwrap_or(0);
        for archetype in &all {
            context.output.print_line_unless_json(format!(
                "{:width$}  {}",
                archetype.name.as_str(),
                archetype.summary
            ));
            for (key, question) in &archetype.questions {
                let default = match &question.default {
                    Some(default) => format!(" [{default}]"),
                    None => " (needed)".to_owned(),
                };
                context.output.print_line_unless_json(format!(
                    "{:width$}    --set {key}=...  {}{default}",
                    "", question.description
                ));
            }
        }
        context.output.print_json_if_requested(&all.iter().map(listed).collect::<Vec<_>>());
        Ok(Exit::Done)
    }
}

fn listed(archetype: &Archetype) -> Listed {
    let questions = archetype.questions.iter().map(|(key, question)| Asked {
        key: key.to_string(),
        description: question.description.clone(),
        default: question.default.clone(),
        one_of: question.one_of.clone(),
    });
    Listed {
        name: archetype.name.to_string(),
        version: archetype.version,
        summary: archetype.summary.clone(),
        questions: questions.collect(),
    }
}

/// The archetype that `folder` is, or those in its subfolders.
fn in_folder(folder: &Path) -> Result<Vec<Archetype>, CommandError> {
    let describes = |dir: &Path| dir.join("archetype.yaml").is_file();
    if describes(folder) {
        return Ok(vec![
            Archetype::load_archetype_folder(folder).map_err(command_error_from_archetype_error)?,
        ]);
    }
    let entries =
        std::fs::read_dir(folder).map_err(|error| CommandError::cannot_read_file_error(folder, &error))?;
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|dir| describes(dir)).collect();
    folders.sort();
    folders
        .iter()
        .map(|dir| Archetype::load_archetype_folder(dir).map_err(command_error_from_archetype_error))
        .collect()
}
