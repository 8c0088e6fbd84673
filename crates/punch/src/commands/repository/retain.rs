//! `punch repository retain`: removes old versions.

use model::{
    exit::Exit,
    wire::{JobRequest, RetentionPreview},
};

use crate::{
    command_context::CommandContext, command_error::CommandError, commands::job::create_and_follow_job,
    settings::ControlPlaneArgs, terminal_output::ChangeLayout,
};

/// Remove old versions that no node file of any kept generation needs
///
/// The control plane does it as a job; this waits for its end.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch repository retain --keep 5 --dry-run\n  punch repository retain --keep 5"
)]
pub(crate) struct RepositoryRetainArgs {
    /// How many of the newest versions of each component are kept in any case
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    keep: u32,
    /// Only show which versions would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl RepositoryRetainArgs {
    pub(super) fn run_retain_job_or_print_preview(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        if self.dry_run {
            let keep = self.keep.to_string();
            let preview: RetentionPreview =
                client.get_json_with_query("/api/v1/retention-preview", &[("keep", &keep)])?;
            print_retention_preview(context, &preview);
            return Ok(Exit::Done);
        }
        let request = JobRequest { kind: "retain-versions".to_owned(), keep: Some(self.keep), channel: None };
        create_and_follow_job(context, &client, &request)
    }
}

fn print_retention_preview(context: &CommandContext, preview: &RetentionPreview) {
    context.output.hold_output_for_pager();
    for channel in &preview.channels {
        let versions: Vec<String> =
            channel.versions.iter().map(|version| format!("\n  - {version}")).collect();
        let text = format!("channel {} would no longer show:{}", channel.channel, versions.concat());
        context.output.print_changes_unless_json(text, ChangeLayout::Effects);
    }
    let files = match preview.files.len() {
        0 => "no file".to_owned(),
        count => format!("{count} files, {} bytes in total,", preview.bytes),
    };
    context.output.print_line_unless_json(format!(
        "{files} would be deleted from the disk; nothing was removed (--dry-run)"
    ));
    context.output.print_json_if_requested(preview);
}

/// The number of versions to keep.
fn at_least_one(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => {
            Err("0 would also remove the newest version of every component that no server uses yet; keep at \
                      least 1, and see what goes with --dry-run"
                .to_owned())
        }
        Ok(count) => Ok(count),
        Err(_) => Err("it is not a whole number from 1".to_owned()),
    }
}
