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
mod fetch_trusted_node;
mod history;
mod hold;
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
mod package_source_args;
mod plan;
mod promote;
mod publish;
mod repository;
mod restore;
mod revision;
mod rollback;
mod server;
mod status;
mod test;
mod token;
mod user;
mod whoami;
mod withdraw;

use clap::Subcommand;
use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

macro_rules! verbs {
    ($($name:ident($module:ident::$args:ident) => $run:ident,)*) => {
        /// The verbs of `punch`.
        #[derive(Debug, Subcommand)]
        pub(crate) enum PunchCommand { $($name($module::$args),)* }

        impl PunchCommand {
            /// Runs the verb and returns the exit code.
            pub(crate) fn run_punch_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
                match self { $(PunchCommand::$name(args) => args.$run(context),)* }
            }
        }
    };
}

// In the order of a component's life.
verbs! {
    Archetypes(archetypes::ArchetypesArgs) => run_archetypes_command,
    New(new::NewArgs) => run_new_or_update_command,
    Lint(lint::LintArgs) => run_lint_command,
    Test(test::TestArgs) => run_test_command,
    Package(package::PackageArgs) => run_package_command,
    Key(key::KeyArgs) => run_key_command,
    Login(login::LoginArgs) => run_login_command,
    Logout(logout::LogoutArgs) => run_logout_command,
    Whoami(whoami::WhoamiArgs) => run_whoami_command,
    Config(config::ConfigArgs) => run_config_command,
    Publish(publish::PublishArgs) => run_publish_command,
    Promote(promote::PromoteArgs) => run_promote_command,
    Withdraw(withdraw::WithdrawArgs) => run_withdraw_command,
    Component(component::ComponentArgs) => run_component_command,
    Channel(channel::ChannelArgs) => run_channel_command,
    Repository(repository::RepositoryArgs) => run_repository_command,
    Import(import::ImportArgs) => run_import_command,
    Export(export::ExportArgs) => run_export_command,
    Revision(revision::RevisionArgs) => run_revision_command,
    Server(server::ServerArgs) => run_server_command,
    Audit(audit::AuditArgs) => run_audit_command,
    Token(token::TokenArgs) => run_token_command,
    User(user::UserArgs) => run_user_command,
    Job(job::JobArgs) => run_job_command,
    Event(event::EventArgs) => run_event_command,
    Join(join::JoinArgs) => run_join_command,
    Plan(plan::PlanArgs) => run_plan_command,
    Apply(apply::ApplyArgs) => run_apply_command,
    Restore(restore::RestoreArgs) => run_restore_command,
    Rollback(rollback::RollbackArgs) => run_rollback_command,
    Hold(hold::HoldArgs) => run_hold_command,
    Explain(explain::ExplainArgs) => run_explain_command,
    Status(status::StatusArgs) => run_status_command,
    History(history::HistoryArgs) => run_host_history_command,
    Completion(completion::CompletionArgs) => run_completion_command,
    Man(man::ManArgs) => run_man_command,
}
