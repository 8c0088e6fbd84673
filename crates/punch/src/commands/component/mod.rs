//! `punch component`: one file per verb.

mod list;
mod show;

use model::exit::Exit;

use crate::{command_context::CommandContext, command_error::CommandError};

/// List and show published components
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch component list\n  punch component show shop")]
pub(crate) struct ComponentArgs {
    #[command(subcommand)]
    verb: ComponentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ComponentCommand {
    List(list::ComponentListArgs),
    Show(show::ComponentShowArgs),
}

impl ComponentArgs {
    pub(super) fn run_component_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.verb {
            ComponentCommand::List(args) => args.run_component_list_command(context),
            ComponentCommand::Show(args) => args.run_component_show_command(context),
        }
    }
}
