//! `geppetto init`: makes the data folder, the keys and the first token.

use std::io;

use model::name::Name;

use super::DaemonContext;
use crate::{
    auth::AccessLevel,
    backoffice::BackOffice,
    daemon_error::DaemonError,
    data_folder::{DataFolder, write_secret},
    output,
};

/// Make the folder of a new control plane
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  geppetto init --data /var/lib/geppetto --channel dev --channel prod")]
pub struct Init {
    /// A channel to create in a new repository; repeat it in the order of promotion
    #[arg(long = "channel", value_name = "NAME", default_values = DEFAULT_CHANNELS)]
    channels: Vec<Name>,
}

/// The channels of a new repository, in the order of promotion.
pub const DEFAULT_CHANNELS: [&str; 3] = ["dev", "staging", "prod"];

impl Init {
    /// Runs the command.
    pub async fn run(self, context: &DaemonContext) -> Result<(), DaemonError> {
        let back_office = create_control_plane(context, &self.channels).await?;
        let (root, token) = (back_office.data.root().display(), back_office.data.admin_token());
        output::note(&match token.exists() {
            true => {
                format!("the control plane in {root} is ready; its first token is in {}", token.display())
            }
            // Removed on purpose, or lost when the machine stopped in the middle of the first start.
            false => format!(
                "the control plane in {root} is ready; {} is not there any more, and `geppetto token create NAME \
                 --role admin` makes another token",
                token.display()
            ),
        });
        Ok(())
    }
}

/// [`DEFAULT_CHANNELS`] as names.
pub fn default_channels() -> Vec<Name> {
    DEFAULT_CHANNELS.iter().filter_map(|name| Name::new(name).ok()).collect()
}

/// Opens the control plane and makes what is missing of it; a repository without channels gets `channels`.
pub async fn create_control_plane(
    context: &DaemonContext,
    channels: &[Name],
) -> Result<BackOffice, DaemonError> {
    let back_office = BackOffice::open(DataFolder::create(&context.data)?, context.clock.clone()).await?;
    back_office.create_first_channels(channels, &context.actor).await?;
    let path = back_office.data.admin_token();
    // A removed token file is not restored: the first token is created for an empty control plane only.
    if !path.exists() && back_office.store.tokens().await?.is_empty() {
        let issued = back_office.create_token("admin", AccessLevel::Admin, None, &context.actor).await?;
        match write_secret(&path, format!("{}\n", issued.text).as_bytes()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                back_office.revoke_token("admin", &context.actor).await?;
                let what = format!("the first token could not be written to `{}`: {error}", path.display());
                return Err(
                    DaemonError::failed(what).with_hint("make room or grant access, then run this again")
                );
            }
        }
    }
    Ok(back_office)
}
