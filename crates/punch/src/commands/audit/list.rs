//! `punch audit list`: the audit log, newest first.

use model::{exit::Exit, wire::AuditEntry};

use crate::{
    command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs, time_text,
};

/// List entries of the audit log, newest first: who did what, when
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch audit list\n  punch audit list --limit 100 --json")]
pub(crate) struct AuditListArgs {
    /// Show at most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl AuditListArgs {
    pub(super) fn run_audit_list_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let entries: Vec<AuditEntry> = self.remote.new_api_client(context)?.get_list_items_up_to(
            "/api/v1/audit",
            "before",
            self.limit,
        )?;
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                vec![
                    entry.id.to_string(),
                    time_text::format_utc(entry.at_us),
                    entry.actor.clone(),
                    entry.action.clone(),
                    entry.subject.clone(),
                    entry.detail.clone(),
                ]
            })
            .collect();
        context
            .output
            .print_table_unless_json(&["ENTRY", "TIME", "ACTOR", "ACTION", "SUBJECT", "DETAIL"], &rows);
        context.output.print_json_if_requested(&entries);
        Ok(Exit::Done)
    }
}
