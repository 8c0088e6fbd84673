//! One file a verb. The list below is the only one: it makes the command line and calls the verbs.

mod apply;
mod archetypes;
mod explain;
mod history;
mod join;
mod key;
mod lint;
mod login;
mod new;
mod package;
mod plan;
mod promote;
mod publish;
mod restore;
mod status;
mod test;
mod versions;

use clap::Subcommand;
use model::exit::Exit;

use crate::{context::Context, failure::Failure};

macro_rules! verbs {
    ($($name:ident => $module:ident,)*) => {
        /// Everything `punch` can do.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Verb { $($name($module::Args),)* }

        impl Verb {
            /// Does it.
            pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
                match self { $(Verb::$name(args) => args.run(context),)* }
            }
        }
    };
}

// In the order of a component's life.
verbs! {
    Archetypes => archetypes,
    New => new,
    Lint => lint,
    Test => test,
    Package => package,
    Key => key,
    Login => login,
    Publish => publish,
    Promote => promote,
    Versions => versions,
    Join => join,
    Plan => plan,
    Apply => apply,
    Restore => restore,
    Explain => explain,
    Status => status,
    History => history,
}
