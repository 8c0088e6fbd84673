//! `geppetto init`: makes the data folder, the keys, the database and the repository with its first channels.

use model::name::Name;

use super::{GeppettoCommandContext, storage_args::DatabaseAndRepositoryArgs};
use crate::{
    auth::UnscopedPermit, backoffice::BackOffice, command_error::GeppettoCommandError,
    data_folder::DataFolder, output,
};

/// Make the data folder of a new control plane
///
/// Keys, database and repository, with the channels in their order of promotion. What is there already stays.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  geppetto init --data /var/lib/geppetto-data --channel dev --channel prod"
)]
pub(crate) struct InitArgs {
    /// A channel to create in a new repository; repeat it in the order of promotion
    #[arg(long = "channel", value_name = "NAME", default_values = DEFAULT_CHANNELS)]
    channels: Vec<Name>,
    #[command(flatten)]
    storage: DatabaseAndRepositoryArgs,
}

/// The channels of a new repository, in the order of promotion.
const DEFAULT_CHANNELS: [&str; 3] = ["dev", "staging", "prod"];

impl InitArgs {
    /// Runs the command.
    pub(crate) async fn run_init_command(
        self,
        context: &GeppettoCommandContext,
    ) -> Result<(), GeppettoCommandError> {
        context.interruption.set_interruption_message(format!(
            "what was made of the control plane in {} stays, and the same command completes it",
            context.data.display()
        ));
        let (data, back_office) =
            open_or_create_control_plane(context, &self.storage, &self.channels, "init").await?;
        back_office.close_database().await;
        let note = format!(
            "the control plane in {} is ready: start it with `geppetto serve` and the same options; `punch` on this machine then needs no \
             token (`punch whoami`)",
            data.folder_path().display()
        );
        output::print_result(context.json, &serde_json::json!({"data": data.folder_path()}), &note);
        Ok(())
    }
}

/// [`DEFAULT_CHANNELS`] as names.
pub(super) fn default_channel_names() -> Vec<Name> {
    DEFAULT_CHANNELS.iter().filter_map(|name| Name::new(name).ok()).collect()
}

/// Opens the control plane and makes what is missing of it; a repository without channels gets `channels`.
pub(super) async fn open_or_create_control_plane(
    context: &GeppettoCommandContext,
    storage: &DatabaseAndRepositoryArgs,
    channels: &[Name],
    command: &str,
) -> Result<(DataFolder, BackOffice), GeppettoCommandError> {
    let data = storage.locate_and_check_data_folder(context, command)?;
    data.create_missing_parts()?;
    let back_office = BackOffice::open_or_create(&data, context.clock.clone()).await?;
    let permit = UnscopedPermit::new_for_local_administrator(nix::unistd::geteuid().as_raw());
    back_office.create_channels_if_none(&permit.to_permit_of_lower_level(), channels).await?;
    Ok((data, back_office))
}
