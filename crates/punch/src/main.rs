//! `punch`: the one command of developers and operators, and the agent on each server.
//!
//! `cli` is the command line, `commands` has one file a verb, `deploy` is the path they share on a host.
//! Only this file reads the clock and the environment.

mod agent_state;
mod api_client;
mod back_office_client;
mod cli;
mod command_context;
mod command_error;
mod commands;
mod component_version_arg;
mod control_plane_address;
mod deploy;
mod effect_text;
mod estate_folder;
mod health_client;
mod host_files;
mod interruption;
mod membership;
mod package_source;
mod removal_limit_and_deadline_options;
mod report_text;
mod rollback;
mod settings;
mod source_date;
mod terminal_output;
mod time_text;
mod trusted_keys;
mod trusted_node;
mod usage_error;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use model::exit::Exit;

use crate::{
    cli::PunchCli,
    command_context::CommandContext,
    interruption::SignalHandling,
    settings::Setting,
    terminal_output::{OutputSettings, Pager, TerminalOutput},
};

fn main() -> ExitCode {
    let cli = match PunchCli::try_parse() {
        Ok(cli) => cli,
        // Help and versions are for people, and so is an error without --json.
        Err(error) if error.use_stderr() && has_json_option() => {
            TerminalOutput::new_json_output().print_command_error(&usage_error::usage_command_error(&error));
            return exit_code(Exit::Usage);
        }
        Err(error) => error.exit(),
    };
    let output = TerminalOutput::new(OutputSettings {
        json: cli.json,
        colour: cli.color,
        no_colour: no_colour(),
        pager: pager_of_environment().filter(|_| !cli.no_pager),
    });
    let interruption = SignalHandling::start(&output);
    let context = CommandContext {
        output: output.clone(),
        interruption: interruption.clone(),
        now,
        config_path: config_path(),
        environment: environment(),
    };
    terminal_output::install_panic_hook_that_exits();
    let result = cli.verb.run_punch_command(&context);
    interruption.set_in_pager(true);
    output.print_held_output();
    interruption.set_in_pager(false);
    match result {
        Ok(exit) => exit_code(exit),
        Err(failure) => {
            output.print_command_error(&failure);
            exit_code(failure.exit)
        }
    }
}

/// The pager that the environment asks for.
fn pager_of_environment() -> Option<Pager> {
    let value = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Pager::from_variables(value("PUNCH_PAGER"), value("PAGER"))
}

/// Whether the environment asks for no colour on a terminal (<https://no-color.org>), or the terminal has none.
fn no_colour() -> bool {
    let is =
        |name, test: fn(&std::ffi::OsStr) -> bool| std::env::var_os(name).is_some_and(|value| test(&value));
    is("NO_COLOR", |value| !value.is_empty()) || is("TERM", |value| value == "dumb")
}

/// Whether the command line asks for JSON; it may be wrong in any other way.
fn has_json_option() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

fn exit_code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// The configuration file: `$XDG_CONFIG_HOME/geppetto/punch.yaml`, or the same under `~/.config`.
fn config_path() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("geppetto/punch.yaml"))
}

/// The environment variables that punch reads, when they are set and not empty.
fn environment() -> BTreeMap<&'static str, String> {
    let names = Setting::ALL_SETTINGS
        .into_iter()
        .map(Setting::environment_variable)
        .chain([command_context::CONTROL_PLANE_DATA_VARIABLE]);
    names
        .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the entry point passes this clock to everything else")]
fn now() -> time_text::UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
