//! The program `geppetto`: reads the command line, runs one verb, ends with an exit code of `model::exit`.

use std::process::ExitCode;

use clap::Parser as _;
use geppetto::{
    cli::Cli,
    clock::Clock,
    commands,
    daemon_error::DaemonError,
    output,
    panic_hook::{self, PanicReaction},
};
use model::exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; anything else is a wrong command line.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return ExitCode::from(exit as u8);
        }
    };
    panic_hook::install_panic_hook(if cli.serves() { PanicReaction::GoOn } else { PanicReaction::End });
    let workers = if cli.serves() { 2 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli, Clock::system())),
        Err(error) => Err(DaemonError::failed(format!("no threads could be started: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::from(Exit::Done as u8),
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
