//! `punch event follow`: what changes, as it changes.

use model::{exit::Exit, wire::ControlPlaneEvent};

use crate::{command_context::CommandContext, command_error::CommandError, settings::ControlPlaneArgs};

/// Print what changes on the control plane, as it changes
///
/// One line per event, one JSON object per line with --json. `resynchronize` means that events may have been missed:
/// look at everything then. Ends when the control plane does, or when the token is revoked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch event follow\n  punch event follow --json | jq .kind")]
pub(crate) struct EventFollowArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl EventFollowArgs {
    pub(super) fn run_event_follow_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.new_api_client(context)?;
        context.interruption.set_interruption_message(
            "nothing was changed; events that come now are not shown by a later `punch event follow`",
        );
        client.for_each_event_of_stream(|event| {
            context.output.print_line_unless_json(describe(&event));
            context.output.print_json_line_if_requested(&event);
        })?;
        context.output.print_note_to_stderr(
            "the stream of events ended: the control plane ended, or the token may not listen any more",
        );
        Ok(Exit::Done)
    }
}

fn describe(event: &ControlPlaneEvent) -> String {
    match event {
        ControlPlaneEvent::RevisionCommitted { revision } => format!("revision {revision} was committed"),
        ControlPlaneEvent::NodeGenerated { server, generation } => {
            format!("generation {generation} of {server} was made")
        }
        ControlPlaneEvent::ServerReported { server, report, outcome } => {
            format!("{server} reported {outcome} (report {report})")
        }
        ControlPlaneEvent::ChannelChanged { channel } => format!("channel {channel} changed"),
        ControlPlaneEvent::JobChanged { job } => format!("job {job} changed"),
        ControlPlaneEvent::AccessChanged {} => "access changed".to_owned(),
        ControlPlaneEvent::Resynchronize {} => "resynchronize: events may have been missed".to_owned(),
    }
}
