//! Where the data of a control plane lies: the options of every command that opens it.

use std::path::PathBuf;

use super::GeppettoCommandContext;
use crate::{command_error::GeppettoCommandError, data_folder::DataFolder, folder_owner, store::DatabaseUrl};

/// Where the data of a control plane lies, if not in its folder.
#[derive(Debug, clap::Args)]
pub(super) struct DatabaseAndRepositoryArgs {
    /// The database: postgres://USER@HOST/NAME. A file in the data folder if not given. Better by the variable: it
    /// may hold a password
    #[arg(long, env = "GEPPETTO_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// The repository's folder, which several control planes may share. In the data folder if not given
    #[arg(long, env = "GEPPETTO_REPOSITORY", value_name = "DIR")]
    repository: Option<PathBuf>,
}

impl DatabaseAndRepositoryArgs {
    /// The data folder of the command line; one of another user is refused. Nothing is made. `command`
    /// is what was typed after `geppetto`.
    pub(super) fn locate_and_check_data_folder(
        &self,
        context: &GeppettoCommandContext,
        command: &str,
    ) -> Result<DataFolder, GeppettoCommandError> {
        // Parsed here, because the command line would print a wrong value with its password.
        let database: Option<DatabaseUrl> =
            self.database.as_deref().map(str::parse).transpose().map_err(|why: String| {
                GeppettoCommandError::invalid_input_error(format!(
                    "the database given by --database or GEPPETTO_DATABASE cannot be used: {why}"
                ))
            })?;
        folder_owner::refuse_folder_of_other_user(&context.data, command)?;
        Ok(DataFolder::new_without_creating(&context.data, database, self.repository.clone()))
    }
}
