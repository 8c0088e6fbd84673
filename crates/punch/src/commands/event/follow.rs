//! `punch event follow`: what changes, as it changes.

use model::{exit::Exit, wire::Event};

use crate::{command_error::CommandError, context::CommandContext, settings::RemoteArgs};

/// Print what changes on the control plane, as it changes
///
/// One line per event, one JSON object per line with --json. `resynchronize` means that events may have been missed:
/// look at everything then. Ends when the control plane does, or when the token is revoked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch event follow\n  punch event follow --json | jq .kind")]
pub(crate) struct EventFollowArgs {
    #[command(flatten)]
    remote: RemoteArgs,
}

impl EventFollowArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.client(context)?;
        client.follow_events(|event| {
            context.output.line(describe(&event));
            context.output.json_line(&event);
        })?;
        context.output.note(
            "the stream of events ended: the control plane ended, or the token may not listen any more",
        );
        Ok(Exit::Done)
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::RevisionCommitted { revision } => format!("revision {revision} was committed"),
        Event::NodeGenerated { server, generation } => {
            format!("generation {generation} of {server} was made")
        }
        Event::ServerReported { server, report, outcome } => {
            format!("{server} reported {outcome} (report {report})")
        }
        Event::ChannelChanged { channel } => format!("channel {channel} changed"),
        Event::JobChanged { job } => format!("job {job} changed"),
        Event::AccessChanged {} => "access changed".to_owned(),
        Event::Resynchronize {} => "resynchronize: events may have been missed".to_owned(),
    }
}
