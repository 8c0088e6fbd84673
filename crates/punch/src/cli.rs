//! The command line as a whole; each verb's own options are in its file under `commands/`.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser};

use crate::{command_error::CommandError, commands::PunchCommand, host_files::HostFileAccess};

/// Exit codes are the same for all verbs, and for `geppetto`.
const EXIT_CODES: &str = "\
Exit codes:
   0  done, or nothing to do
   1  the input is wrong: a file, a name, a value
   2  the command line is wrong
   3  blocked: something could not be observed or is not allowed, and was left as it is
   4  failed, and the last good state is back
   5  failed, and not rolled back: the next run completes what is missing
   6  the back-office could not be reached
  10  `punch plan` found changes
  70  a bug of ours
 129  ended by the end of its terminal (SIGHUP)
 130  interrupted (Ctrl-C, SIGINT): the last line says what state things are in
 143  ended by SIGTERM: likewise

Data goes to stdout, everything else to stderr; `--json` is for programs. On a terminal there is colour, \
unless NO_COLOR is set, and what is longer than the terminal is shown by PUNCH_PAGER, else PAGER, else `less -FRX`.";

/// The place of the options of all verbs: after each verb's own.
const GLOBAL_OPTIONS: usize = 900;

/// Create, package, publish and deploy components; operate servers. One command for developers, operators and servers.
#[derive(Debug, Parser)]
#[command(name = "punch", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct PunchCli {
    /// Print data as JSON
    #[arg(long, global = true, display_order = GLOBAL_OPTIONS)]
    pub(crate) json: bool,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = GLOBAL_OPTIONS)]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub(crate) color: ColorChoice,
    /// Do not show long output in a pager
    #[arg(long, global = true, display_order = GLOBAL_OPTIONS)]
    pub(crate) no_pager: bool,
    #[command(subcommand)]
    pub(crate) verb: PunchCommand,
}

/// The option of all verbs that work on a host.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostArgs {
    /// Folder to treat as the host's root; anything but `/` leaves this machine alone. It is created when
    /// a verb writes to it; its parent folder must exist
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

impl HostArgs {
    /// The option as it is typed after a verb, with a space before it; empty for this machine.
    pub(crate) fn root_option_text(&self) -> String {
        if self.root == std::path::Path::new("/") {
            return String::new();
        }
        format!(" --root {}", self.root.display())
    }

    /// The paths below the host's root.
    pub(crate) fn open_host_files(&self) -> Result<HostFileAccess, CommandError> {
        HostFileAccess::new(&std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone()))
    }
}
