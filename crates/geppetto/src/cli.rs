//! The command line: every verb, its arguments and an example.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands;

/// The control plane: back-office, repository and API
#[derive(Debug, Parser)]
#[command(name = "geppetto", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 5 failed, 70 a bug."
)]
pub struct Cli {
    /// The folder of the control plane
    #[arg(
        long,
        global = true,
        env = "GEPPETTO_DATA",
        default_value = "/var/lib/geppetto",
        value_name = "DIR"
    )]
    pub data: PathBuf,

    /// Who you are, for the history and the audit log
    #[arg(long = "as", global = true, env = "USER", default_value = "unknown", value_name = "NAME")]
    pub user: String,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs, in the order they are needed.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the folder of a new control plane
    Init(commands::init::Init),
    /// Serve the API and the repository
    Serve(commands::serve::Serve),
    /// Import the estate from a folder of YAML files
    Import(commands::import::Import),
    /// Write the estate as a folder of YAML files
    Export(commands::export::Export),
    /// Print the node file of a server: everything it must be
    Node(commands::node::Node),
    /// Say why a value of a server is what it is
    Explain(commands::explain::Explain),
    /// Print a server's classes and parameters for Puppet
    Enc(commands::enc::Enc),
    /// Make, list and revoke API tokens
    Token(commands::token::Token),
    /// Make a one-time token for a server to join with
    JoinToken(commands::join_token::JoinToken),
    /// Take from a server what it shows
    Server(commands::server::Server),
    /// Trust packages signed by the keys in a file
    Trust(commands::trust::Trust),
    /// Look after the packages
    Repository(commands::repository::Repository),
    /// Print the completion script of a shell
    Completion(commands::completion::Completion),
    /// Write the manual pages of geppetto to a folder, one per command
    Man(commands::man::Man),
    /// Print the OpenAPI document of the API
    Openapi(commands::openapi::Openapi),
}

impl Cli {
    /// Whether this is the long-running command.
    pub fn serves(&self) -> bool {
        matches!(self.verb, Verb::Serve(_))
    }

    /// The person at the terminal, as the audit log names him.
    pub fn actor(&self) -> String {
        format!("local user {}", self.user)
    }
}

/// The reference of all verbs, in Markdown: each one's help as it is printed.
pub fn reference() -> String {
    let mut text = String::from("# `geppetto`\n\nGenerated from the program; do not edit.\n");
    let mut command = Cli::command().term_width(100);
    command.build();
    describe(&mut command, "geppetto", &mut text);
    text
}

fn describe(command: &mut clap::Command, name: &str, text: &mut String) {
    // Values of environment variables of the generating machine are hidden.
    let mut shown = command.clone().mut_args(|argument| argument.hide_env_values(true));
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        let name = format!("{name} {}", verb.get_name());
        describe(verb, &name, text);
    }
}
