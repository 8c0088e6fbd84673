//! `punch publish`: sends packages to the repository and makes them visible in a channel.

use std::path::{Path, PathBuf};

use model::{
    exit::Exit,
    name::Name,
    suggest_spelling,
    wire::{ChannelSummary, PublicationRequest},
};

use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    effect_text::print_effects,
    settings::{ControlPlaneArgs, SettingsResolver},
};

/// Send packages to the repository and make them visible in a channel, all or none
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch publish dist/*.rpm\n  punch publish dist/*.rpm --channel staging\n\n\
    Sending the same bytes twice changes nothing; other bytes under the same name, version and release are refused."
)]
pub(crate) struct PublishArgs {
    /// Packages, as `punch package` made them
    #[arg(required = true, value_name = "FILE.rpm")]
    files: Vec<PathBuf>,
    /// Channel they become visible in; `dev` when nothing sets it [env: PUNCH_CHANNEL] [config: channel]
    #[arg(long, value_name = "NAME")]
    channel: Option<Name>,
    /// Send the packages, but only show what making them visible would do to servers
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

impl PublishArgs {
    pub(super) fn run_publish_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        // All names are checked before the first byte is sent.
        let named: Vec<(&Path, &str, u64)> =
            self.files.iter().map(|path| check(path)).collect::<Result<_, CommandError>>()?;
        let channel = SettingsResolver::new_with_config_file(context)?
            .resolve_channel_to_publish_to(self.channel.map(|name| name.to_string()));
        let channel: Name = channel.parse().map_err(|error| {
            CommandError::invalid_input_error(format!("the configured channel: {error}"))
                .with_hint("`punch config` shows where it is set")
        })?;
        let client = self.remote.new_api_client(context)?;
        context.interruption.set_interruption_message(format!(
            "nothing was changed in {channel}; packages that were sent whole are kept in the repository, and the same \
             command completes it"
        ));
        // A misspelled channel shall not cost the upload.
        let channels: Vec<ChannelSummary> =
            client.get_list_items_up_to("/api/v1/channels", "after", usize::MAX)?;
        refuse_unknown_channel(&channel, &channels)?;
        let mut files = Vec::with_capacity(named.len());
        for (path, name, size) in named {
            let received = {
                let bar = context.output.new_progress_bar(name, Some(size));
                client.upload_package(path, name, &bar)?
            };
            context.output.print_note_to_stderr(format!("sent {} ({} bytes)", received.file, received.size));
            files.push(received.file);
        }
        if !self.dry_run {
            context.interruption.set_interruption_message(format!(
                "all packages were sent, and {channel} may have changed: the same command completes it, or finds it done"
            ));
        }
        let published = client.publish_received_packages_in_channel(
            &channel,
            &PublicationRequest { files, preview: self.dry_run },
        )?;
        if !self.dry_run {
            context
                .interruption
                .set_interruption_message(format!("the packages are visible in {channel} already"));
        }
        for file in &published.added {
            let becomes = if self.dry_run { "would be" } else { "is now" };
            context.output.print_line_unless_json(format!("{file} {becomes} in {}", published.channel));
        }
        for file in &published.present {
            context.output.print_line_unless_json(format!("{file} is already in {}", published.channel));
        }
        print_effects(context, &published.effects);
        context.output.print_json_if_requested(&published);
        Ok(Exit::Done)
    }
}

fn refuse_unknown_channel(channel: &Name, known: &[ChannelSummary]) -> Result<(), CommandError> {
    let names = || known.iter().map(|known| known.name.as_str());
    if names().any(|name| name == channel.as_str()) {
        return Ok(());
    }
    let nearest = suggest_spelling(channel.as_str(), names());
    let nearest = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(CommandError::invalid_input_error(format!("there is no channel `{channel}`{nearest}")).with_hint(
        "`punch channel list` lists the channels, `punch channel create NAME` makes one; nothing was sent",
    ))
}

fn check(path: &Path) -> Result<(&Path, &str, u64), CommandError> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        CommandError::cannot_read_file_error(path, &error)
            .with_hint("`punch package` makes packages in dist/; give their names: dist/*.rpm")
    })?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let usual = |c: char| c.is_ascii_alphanumeric() || "._+~^-".contains(c);
    if !metadata.is_file() || !name.ends_with(".rpm") || !name.chars().all(usual) {
        return Err(CommandError::invalid_input_error(format!(
            "{} is not a package: it must be a file named *.rpm",
            path.display()
        ))
        .with_hint("give the files that `punch package` made: dist/*.rpm"));
    }
    Ok((path, name, metadata.len()))
}
