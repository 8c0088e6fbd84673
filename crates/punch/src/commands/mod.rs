//! One file per verb. The list below defines the command line and calls the verbs.

mod apply;
mod archetypes;
mod audit;
mod channel;
mod completion;
mod component;
mod config;
mod event;
mod explain;
mod export;
mod history;
mod import;
mod job;
mod join;
mod key;
mod lint;
mod login;
mod logout;
mod man;
mod new;
mod package;
mod plan;
mod promote;
mod publish;
mod repository;
mod restore;
mod revision;
mod server;
mod status;
mod test;
mod token;
mod whoami;
mod withdraw;

use clap::Subcommand;
use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

macro_rules! verbs {
    ($($name:ident => $module:ident::$args:ident,)*) => {
        /// The verbs of `punch`.
        #[derive(Debug, Subcommand)]
        pub(crate) enum PunchCommand { $($name($module::$args),)* }

        impl PunchCommand {
            /// Runs the verb and returns the exit code.
            pub(crate) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
                match self { $(PunchCommand::$name(args) => args.run(context),)* }
            }
        }
    };
}

// In the order of a component's life.
verbs! {
    Archetypes => archetypes::ArchetypesArgs,
    New => new::NewArgs,
    Lint => lint::LintArgs,
    Test => test::TestArgs,
    Package => package::PackageArgs,
    Key => key::KeyArgs,
    Login => login::LoginArgs,
    Logout => logout::LogoutArgs,
    Whoami => whoami::WhoamiArgs,
    Config => config::ConfigArgs,
    Publish => publish::PublishArgs,
    Promote => promote::PromoteArgs,
    Withdraw => withdraw::WithdrawArgs,
    Component => component::ComponentArgs,
    Channel => channel::ChannelArgs,
    Repository => repository::RepositoryArgs,
    Import => import::ImportArgs,
    Export => export::ExportArgs,
    Revision => revision::RevisionArgs,
    Server => server::ServerArgs,
    Audit => audit::AuditArgs,
    Token => token::TokenArgs,
    Job => job::JobArgs,
    Event => event::EventArgs,
    Join => join::JoinArgs,
    Plan => plan::PlanArgs,
    Apply => apply::ApplyArgs,
    Restore => restore::RestoreArgs,
    Explain => explain::ExplainArgs,
    Status => status::StatusArgs,
    History => history::HistoryArgs,
    Completion => completion::CompletionArgs,
    Man => man::ManArgs,
}
