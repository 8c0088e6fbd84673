//! `punch key`: keys that sign packages, made here and trusted by the repository.

mod list;
mod trust;
mod withdraw;

use std::path::{Path, PathBuf};

use model::exit::Exit;
use packaging::openpgp::{SecretKey, SecretKeyError};
use serde::Serialize;

use crate::{command_context::CommandContext, command_error::CommandError};

/// Make, show, list, trust and withdraw keys that sign packages
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch key new --name 'Alice <alice@example.org>' --out alice.key")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    what: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    New(KeyNewArgs),
    Public(KeyPublicArgs),
    List(list::KeyListArgs),
    Trust(trust::KeyTrustArgs),
    Withdraw(withdraw::KeyWithdrawArgs),
}

/// Make a new key; the file is for your eyes only (mode 0600)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch key new --name 'Alice <alice@example.org>' --out alice.key\n\n\
    Then hand its public half to an administrator: `punch key public alice.key > alice.asc`,\n\
    who lets the repository accept it: `punch key trust alice.asc`.")]
struct KeyNewArgs {
    /// Whose key it is
    #[arg(long, value_name = "NAME <MAIL>")]
    name: String,
    /// File to write; it must not be there yet
    #[arg(long, default_value = "packages.key", value_name = "FILE")]
    out: PathBuf,
}

/// Print the public half of a key, for those who check signatures
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch key public alice.key > alice.asc")]
struct KeyPublicArgs {
    /// The key
    file: PathBuf,
}

/// What `--json` prints.
#[derive(Serialize)]
struct ShownKey {
    file: String,
    fingerprint: String,
    public: String,
}

impl KeyArgs {
    pub(super) fn run_key_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        match self.what {
            KeyCommand::New(new) => new.run(context),
            KeyCommand::Public(public) => public.run(context),
            KeyCommand::List(list) => list.run_key_list_command(context),
            KeyCommand::Trust(trust) => trust.run_repository_key_trust_command(context),
            KeyCommand::Withdraw(withdraw) => withdraw.run_key_withdraw_command(context),
        }
    }
}

impl KeyNewArgs {
    fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        if self.out.exists() {
            return Err(CommandError::invalid_input_error(format!(
                "{} is there already",
                self.out.display()
            ))
            .with_hint("a key is never overwritten; give another file with `--out FILE`"));
        }
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Err(CommandError::invalid_input_error(
                "the name of the key's owner is empty or holds control characters",
            )
            .with_hint("write it like 'Alice <alice@example.org>'"));
        }
        let created = u32::try_from((context.now)() / 1_000_000).unwrap_or(u32::MAX);
        let key = SecretKey::generate_secret_key(self.name.trim(), created)
            .map_err(|error| CommandError::new(Exit::Bug, format!("no key could be made: {error}")))?;
        key.save_secret_key_file(&self.out).map_err(|error| match error {
            SecretKeyError::Io { path, why, .. } => CommandError::cannot_write_file_error(&path, &why),
            other => CommandError::new(Exit::Bug, other.to_string()),
        })?;
        context.output.print_note_to_stderr(format!("wrote {}; keep it secret", self.out.display()));
        context.output.print_line_unless_json(format!("fingerprint {}", key.fingerprint()));
        show(context, &self.out, &key)
    }
}

impl KeyPublicArgs {
    fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let key = load_secret_key(&self.file)?;
        context.output.print_line_unless_json(armored(&key)?);
        show(context, &self.file, &key)
    }
}

fn show(context: &CommandContext, file: &Path, key: &SecretKey) -> Result<Exit, CommandError> {
    context.output.print_json_if_requested(&ShownKey {
        file: file.display().to_string(),
        fingerprint: key.fingerprint().to_string(),
        public: armored(key)?,
    });
    Ok(Exit::Done)
}

fn armored(key: &SecretKey) -> Result<String, CommandError> {
    key.armored_public_key().map_err(|error| CommandError::new(Exit::Bug, error.to_string()))
}

/// Reads a secret key; others must not be able to.
pub(super) fn load_secret_key(file: &Path) -> Result<SecretKey, CommandError> {
    std::fs::File::open(file).map_err(|error| CommandError::cannot_read_file_error(file, &error))?;
    SecretKey::load_secret_key_file(file).map_err(|error| {
        CommandError::invalid_input_error(error.to_string())
            .with_hint("make a key with `punch key new --name 'NAME <MAIL>' --out FILE`")
    })
}
