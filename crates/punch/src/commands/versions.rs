//! `punch versions`: what versions of a component there are, and in which channels.

use model::{exit::Exit, name::Name, wire::ComponentVersion};

use crate::{context::CommandContext, failure::CommandError, settings::RemoteArgs};

/// List the published versions of a component and the channels they are in, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch versions shop\n  punch versions shop --json")]
pub(crate) struct VersionsArgs {
    /// Component
    name: Name,
    #[command(flatten)]
    remote: RemoteArgs,
}

impl VersionsArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let client = self.remote.client(context.settings.as_deref())?;
        let mut all: Vec<ComponentVersion> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = client.versions(&self.name, after.as_deref())?;
            all.extend(page.items);
            match page.next {
                // A server that gives the same page for ever must not hang us.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => break,
            }
        }
        let width = all.iter().map(|version| version.version.len()).max().unwrap_or(0);
        for version in &all {
            let channels = if version.channels.is_empty() {
                "(no channel)".to_owned()
            } else {
                version.channels.join(" ")
            };
            context.output.line(format!("{:width$}  {channels}", version.version));
        }
        if all.is_empty() {
            context.output.note(format!("no version of {} is published", self.name));
        }
        context.output.json(&all);
        Ok(Exit::Done)
    }
}
