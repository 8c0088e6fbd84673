//! `geppetto init`: makes the data folder, the keys, the database and the repository with its first channels.

use std::path::PathBuf;

use model::name::Name;

use super::DaemonContext;
use crate::{
    auth::UnscopedPermit, backoffice::BackOffice, daemon_error::DaemonCommandError, data_folder::DataFolder,
    output, store::DatabaseUrl,
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

/// Where the data of a control plane lies, if not in its folder.
#[derive(Debug, clap::Args)]
pub(crate) struct DatabaseAndRepositoryArgs {
    /// The database: postgres://USER@HOST/NAME. A file in the data folder if not given. Better by the variable: it
    /// may hold a password
    #[arg(long, env = "GEPPETTO_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// The repository's folder, which several control planes may share. In the data folder if not given
    #[arg(long, env = "GEPPETTO_REPOSITORY", value_name = "DIR")]
    repository: Option<PathBuf>,
}

impl DatabaseAndRepositoryArgs {
    /// The database, if it is not in the data folder. Parsed here, because the command line would print a wrong value with
    /// its password.
    pub(super) fn parse_database_url(&self) -> Result<Option<DatabaseUrl>, DaemonCommandError> {
        self.database.as_deref().map(str::parse).transpose().map_err(|why: String| {
            DaemonCommandError::invalid_input_error(format!(
                "the database given by --database or GEPPETTO_DATABASE cannot be used: {why}"
            ))
        })
    }

    /// The repository, if it is not in the data folder.
    pub(super) fn repository_folder(&self) -> Option<PathBuf> {
        self.repository.clone()
    }
}

/// The channels of a new repository, in the order of promotion.
const DEFAULT_CHANNELS: [&str; 3] = ["dev", "staging", "prod"];

impl InitArgs {
    /// Runs the command.
    pub(crate) async fn run_init_command(self, context: &DaemonContext) -> Result<(), DaemonCommandError> {
        let (data, back_office) =
            open_or_create_control_plane(context, &self.storage, &self.channels).await?;
        back_office.close_database().await;
        output::print_note(&format!(
            "the control plane in {} is ready: start it with `geppetto serve`; `punch` on this machine then needs no \
             token (`punch whoami`)",
            data.folder_path().display()
        ));
        Ok(())
    }
}

/// [`DEFAULT_CHANNELS`] as names.
pub(super) fn default_channel_names() -> Vec<Name> {
    DEFAULT_CHANNELS.iter().filter_map(|name| Name::new(name).ok()).collect()
}

/// Opens the control plane and makes what is missing of it; a repository without channels gets `channels`.
pub(super) async fn open_or_create_control_plane(
    context: &DaemonContext,
    storage: &DatabaseAndRepositoryArgs,
    channels: &[Name],
) -> Result<(DataFolder, BackOffice), DaemonCommandError> {
    let data = DataFolder::create_or_open(
        &context.data,
        storage.parse_database_url()?,
        storage.repository_folder(),
    )?;
    let back_office = BackOffice::open(&data, context.clock.clone()).await?;
    let permit = UnscopedPermit::new_for_local_administrator(nix::unistd::geteuid().as_raw());
    back_office.create_first_channels(&permit.to_permit_of_lower_level(), channels).await?;
    Ok((data, back_office))
}
