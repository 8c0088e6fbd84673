//! The control plane: the back-office, the repository and the API, behind the program `geppetto`.
//!
//! Read in this order: `commands` has the command line and one file for each verb, `backoffice` does what the API asks
//! for on behalf of the principals of `auth`, `store` remembers it, `jobs` works in the background, `api` and `serve`
//! offer it over HTTP, `local_socket` to the control plane's own machine.

mod api;
mod auth;
mod backoffice;
mod backup;
mod clock;
mod command_error;
mod commands;
mod connections;
mod data_folder;
mod event_stream;
mod folder_owner;
mod interruption;
mod jobs;
mod local_socket;
mod output;
mod panic_hook;
mod serve;
mod service_manager;
mod serving_lock;
#[cfg(test)]
#[path = "../../../tests/skip.rs"]
mod skip;
mod store;
mod tls;
mod web;

use std::process::ExitCode;

use clap::Parser as _;
use model::exit::{Exit, split_usage_error};

use clock::Clock;
use command_error::GeppettoCommandError;
use commands::GeppettoCli;
use interruption::OfflineCommandSignals;
use panic_hook::PanicReaction;

/// Resolution makes and drops many small values on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The one cryptography of the program, for TLS to a database. It fails only when one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match GeppettoCli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; anything else is a wrong command line.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            if error.use_stderr() && has_json_option() {
                output::print_failure(true, &usage_error(&error));
                return ExitCode::from(exit as u8);
            }
            let _ = error.print();
            // With one similar verb clap has said which; several are a guess.
            let is_misspelt = match error.get(clap::error::ContextKind::SuggestedSubcommand) {
                Some(clap::error::ContextValue::String(_)) => true,
                Some(clap::error::ContextValue::Strings(similar)) => similar.len() == 1,
                _ => false,
            };
            if error.kind() == clap::error::ErrorKind::InvalidSubcommand && !is_misspelt {
                output::print_note(
                    "\nhint: geppetto makes and runs a control plane; what is in it is shown and changed by `punch`: \
                     `punch server list`, `punch help`",
                );
            }
            return ExitCode::from(exit as u8);
        }
    };
    panic_hook::install_bug_report_panic_hook(if cli.is_serve_command() {
        PanicReaction::GoOn
    } else {
        PanicReaction::End
    });
    let interruption = match cli.is_interruptible_command() {
        true => OfflineCommandSignals::start(cli.is_json()),
        false => OfflineCommandSignals::default(),
    };
    let is_json = cli.is_json();
    let workers = if cli.is_serve_command() { 2 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            runtime.block_on(commands::run_geppetto_command(cli, Clock::system_clock(), interruption))
        }
        Err(error) => {
            Err(GeppettoCommandError::operation_failed_error(format!("no threads could be started: {error}")))
        }
    };
    match result {
        Ok(()) => ExitCode::from(Exit::Done as u8),
        Err(failure) => {
            output::print_failure(is_json, &failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// The error of a command line that clap refused, for programs.
fn usage_error(error: &clap::Error) -> GeppettoCommandError {
    let (message, mut hints) = split_usage_error(&error.to_string());
    if error.kind() == clap::error::ErrorKind::InvalidSubcommand {
        hints.push("what is in a control plane is shown and changed by `punch`".to_owned());
    }
    hints.push("`geppetto help VERB` shows how a verb is used".to_owned());
    GeppettoCommandError { exit: Exit::Usage, message, hint: Some(hints.join("; ")) }
}

/// Whether the command line asks for JSON; it may be wrong in any other way.
fn has_json_option() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}
