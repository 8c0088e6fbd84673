//! `punch import`: a folder of YAML files becomes the estate, as one revision.

use std::path::PathBuf;

use model::{
    exit::Exit,
    wire::{EstateChangeRequest, EstateChangeResult, PlaceChangeSummary},
};

use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    effect_text::print_effects,
    estate_folder::{self, EstateFolderYamlTexts},
    settings::ControlPlaneArgs,
};

/// Make the estate equal to a folder of YAML files
///
/// The folder is the whole estate: roles/, groups/, environments/ and servers/, one NAME.yaml per document.
/// Documents that are not in it are removed. Shows what it does to which servers, then commits it as
/// one revision. An exported folder names its revision in estate.yaml: changes made since are not overwritten.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch import estate/ --dry-run\n  punch import estate/ -m 'shop 1.2 everywhere'"
)]
pub(crate) struct ImportArgs {
    /// Folder
    folder: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Why, for the history
    #[arg(short, long, default_value = "imported from a folder")]
    message: String,
    /// Remove everything when the folder is empty
    #[arg(long)]
    allow_empty: bool,
    /// Also show the difference of each document
    #[arg(long)]
    diff: bool,
    /// Also overwrite what others changed since the folder was exported
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl ImportArgs {
    pub(super) fn run_import_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        context.interruption.set_interruption_message("nothing was committed");
        let EstateFolderYamlTexts { documents, subfolder_paths, .. } =
            estate_folder::read_estate_yaml_files(&self.folder)?;
        let base = estate_folder::read_base_revision(&self.folder)?;
        if documents.is_empty() && !self.allow_empty {
            return Err(CommandError::invalid_input_error(format!(
                "there is no document in `{}`",
                self.folder.display()
            ))
            .with_hint("check the path; `--allow-empty` removes the whole estate"));
        }
        let client = self.remote.new_api_client(context)?;
        let request = EstateChangeRequest {
            documents: documents.into_iter().map(|(path, text)| (path, Some(text))).collect(),
            whole: true,
            allow_empty: self.allow_empty,
            message: self.message,
            preview: self.dry_run,
            base: base.filter(|_| !self.overwrite),
            diffs: self.diff,
        };
        if !self.dry_run {
            context.interruption.set_interruption_message(
                "the import was sent and may be committed: `punch revision list` shows it, and the same command changes \
                 nothing then",
            );
        }
        let result: EstateChangeResult = client
            .post_json("/api/v1/changes", &request)
            .map_err(|error| error.with_fault_files_renamed(&subfolder_paths))?;
        if let Some(revision) = result.revision {
            context
                .interruption
                .set_interruption_message(format!("the import is committed as revision {revision}"));
        }
        print(context, &result, self.dry_run);
        context.output.print_json_if_requested(&result);
        if let (Some(_), Some(revision)) = (base, result.revision)
            && let Err(failure) = estate_folder::write_base_revision(&self.folder, revision)
        {
            context.output.print_warning(format!(
                "{}; the import is committed as revision {revision}",
                failure.message
            ));
        }
        Ok(Exit::Done)
    }
}

fn print(context: &CommandContext, result: &EstateChangeResult, dry_run: bool) {
    context.output.hold_output_for_pager();
    for warning in &result.warnings {
        context.output.print_warning(warning.to_string());
    }
    if result.places.is_empty() {
        context.output.print_line_unless_json("nothing to change");
        return;
    }
    context.output.print_line_unless_json(summarize_place_changes(&result.places));
    for (place, diff) in result.places.iter().filter_map(|place| Some((place, place.diff.as_ref()?))) {
        context.output.print_document_diff_unless_json(&format!("{} {}", place.how, place.place), diff);
    }
    print_effects(context, &result.effects);
    match result.revision {
        Some(revision) => context.output.print_line_unless_json(format!("committed as revision {revision}")),
        None if dry_run => context.output.print_line_unless_json("nothing was committed (--dry-run)"),
        None => (),
    }
}

/// How many documents are added, changed and removed; the names of a few.
pub(super) fn summarize_place_changes(places: &[PlaceChangeSummary]) -> String {
    const NAMED: usize = 6;
    let parts = ["added", "changed", "removed"].into_iter().filter_map(|how| {
        let of_kind = || places.iter().filter(|place| place.how == how);
        let count = of_kind().count();
        let names: Vec<&str> = of_kind().take(NAMED).map(|place| place.place.as_str()).collect();
        let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
        (count > 0).then(|| format!("{count} {how}: {}{more}", names.join(", ")))
    });
    parts.collect::<Vec<_>>().join("\n")
}
