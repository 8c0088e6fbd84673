//! The command line: every verb, its arguments and an example. One file a verb.

mod backup;
mod completion;
mod init;
mod man;
mod openapi;
mod recover;
mod serve;
mod storage_args;
mod tls_args;

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{clock::Clock, command_error::GeppettoCommandError, interruption::OfflineCommandSignals};

/// The control plane: back-office, repository and API
///
/// This is the daemon. What a person asks of it is a verb of `punch`, which on this machine needs no token.
#[derive(Debug, Parser)]
#[command(name = "geppetto", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 5 failed, 70 a bug, 130 interrupted, 143 terminated."
)]
pub(crate) struct GeppettoCli {
    /// The folder of the control plane
    #[arg(
        long,
        global = true,
        env = "GEPPETTO_DATA",
        default_value = "/var/lib/geppetto-data",
        value_name = "DIR"
    )]
    data: PathBuf,

    /// Print results and errors as JSON
    #[arg(long, global = true)]
    json: bool,

    /// What to do
    #[command(subcommand)]
    verb: GeppettoCommand,
}

/// The verbs, in the order they are needed.
#[derive(Debug, Subcommand)]
pub(crate) enum GeppettoCommand {
    /// Make the data folder of a new control plane
    Init(init::InitArgs),
    /// Serve the API and the repository
    Serve(serve::ServeArgs),
    /// Copy everything a control plane needs into a new folder, also while it serves
    Backup(backup::BackupArgs),
    /// Make a control plane of a backup, in an empty data folder
    Recover(recover::RecoverArgs),
    /// Print the completion script of a shell
    Completion(completion::GeppettoCompletionArgs),
    /// Write the manual pages of geppetto to a folder, one per command
    Man(man::GeppettoManArgs),
    /// Print the OpenAPI document of the API
    Openapi(openapi::OpenapiArgs),
}

impl GeppettoCli {
    /// Whether this is the long-running command.
    pub(crate) fn is_serve_command(&self) -> bool {
        matches!(self.verb, GeppettoCommand::Serve(_))
    }

    /// Whether results and errors are for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether this makes or copies a control plane, and says what is true when it is interrupted.
    pub(crate) fn is_interruptible_command(&self) -> bool {
        matches!(
            self.verb,
            GeppettoCommand::Init(_) | GeppettoCommand::Backup(_) | GeppettoCommand::Recover(_)
        )
    }
}

/// What every verb may need to know.
pub(crate) struct GeppettoCommandContext {
    /// The folder named on the command line.
    data: PathBuf,
    /// Whether results are printed as JSON.
    json: bool,
    /// Tells the time.
    clock: Clock,
    /// What happens on SIGINT and SIGTERM, unless the command handles them itself.
    interruption: OfflineCommandSignals,
}

/// Runs the verb of a command line.
pub(crate) async fn run_geppetto_command(
    cli: GeppettoCli,
    clock: Clock,
    interruption: OfflineCommandSignals,
) -> Result<(), GeppettoCommandError> {
    let context = GeppettoCommandContext { data: cli.data, json: cli.json, clock, interruption };
    match cli.verb {
        GeppettoCommand::Init(init) => init.run_init_command(&context).await,
        GeppettoCommand::Serve(serve) => serve.run_serve_command(&context).await,
        GeppettoCommand::Backup(backup) => backup.run_backup_command(&context).await,
        GeppettoCommand::Recover(recover) => recover.run_recover_command(&context).await,
        GeppettoCommand::Completion(completion) => completion.run_completion_command(GeppettoCli::command()),
        GeppettoCommand::Man(man) => man.run_man_command(GeppettoCli::command(), context.json),
        GeppettoCommand::Openapi(openapi) => openapi.run_openapi_command(),
    }
}
