//! A node file whose signature and server were verified before it was parsed.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use model::{
    format::node,
    node::{Node, digest_node_content},
};

use crate::{
    agent_state::{HighestBegunGeneration, LastGoodNode},
    command_error::CommandError,
    terminal_output::TerminalOutput,
    trusted_keys::TrustSettingsOfHost,
};

/// The largest node file that is read, in bytes.
const MAX_NODE_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A verified node file.
pub(crate) struct TrustedNode {
    /// The file as people know it: a path, an address.
    pub(crate) file: String,
    /// The text, signature included.
    pub(crate) text: String,
    /// The node it describes.
    pub(crate) node: Node,
    /// Its ETag at the back-office.
    pub(crate) tag: Option<String>,
    /// Whether its signature was not checked (`--allow-unsigned`): its generation is then not remembered.
    pub(crate) signatures_skipped: bool,
    /// Whether the user named the file: what is wrong with it is then wrong input.
    pub(crate) is_file_of_user: bool,
}

impl TrustedNode {
    /// Reads and verifies a node file given by the user.
    pub(crate) fn read_and_verify_node_file(
        path: &Path,
        trust: &TrustSettingsOfHost,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        let text = read_bounded_text(path)?;
        let node = Self::verify_and_parse_node_yaml(&path.display().to_string(), text, None, trust, output)?;
        Ok(Self { is_file_of_user: true, ..node })
    }

    /// Verifies the signature of a node file, parses it, and checks that it is for this server. A text
    /// without a good signature is not parsed.
    pub(crate) fn verify_and_parse_node_yaml(
        file: &str,
        text: String,
        tag: Option<String>,
        trust: &TrustSettingsOfHost,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        verify(file, &text, trust, output)?;
        let node = node::parse_node_yaml(file, &text)?;
        check_server(file, &node, trust)?;
        Ok(Self {
            file: file.to_owned(),
            text,
            node,
            tag,
            signatures_skipped: trust.signatures_skipped,
            is_file_of_user: false,
        })
    }

    /// Verifies the last good node file again, because the trusted keys may have changed since.
    pub(crate) fn verify_last_good_again(
        good: &LastGoodNode,
        trust: &TrustSettingsOfHost,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        let file = format!("the last good node file (generation {})", good.node.generation);
        verify(&file, &good.text, trust, output)?;
        check_server(&file, &good.node, trust)?;
        Ok(Self {
            file,
            text: good.text.clone(),
            node: good.node.clone(),
            tag: good.tag.clone(),
            signatures_skipped: false,
            is_file_of_user: false,
        })
    }

    /// A node file that was good on this host. It was verified when it came, and only root can change what is kept of it.
    pub(crate) fn of_good_node(good: &LastGoodNode) -> Self {
        Self {
            file: format!("the good node file of generation {}", good.node.generation),
            text: good.text.clone(),
            node: good.node.clone(),
            tag: good.tag.clone(),
            signatures_skipped: false,
            is_file_of_user: false,
        }
    }

    /// Refuses a generation older than any that a run on this host began. Call it while holding the lock.
    pub(crate) fn refuse_generation_older_than_begun(
        &self,
        begun: Option<&HighestBegunGeneration>,
    ) -> Result<(), CommandError> {
        let before = begun.map(|begun| (begun.epoch_and_generation(), begun.digest.as_str()));
        let digest = digest_node_content(&self.node).to_string();
        node::check_generation_may_follow(before, (self.node.epoch_and_generation(), &digest)).map_err(|why| {
            CommandError::invalid_input_error(format!("{}: {why}", self.file))
                .with_hint("`punch status` shows what this host follows; to go back, restore the older revision in the back-office, which gives it a new generation")
        })
    }
}

/// Reads a node file; of one that is too large no more than that is read.
fn read_bounded_text(path: &Path) -> Result<String, CommandError> {
    let wrong = |error: io::Error| CommandError::cannot_read_file_error(path, &error);
    let mut text = String::new();
    let file = File::open(path).map_err(wrong)?;
    file.take(MAX_NODE_FILE_BYTES + 1).read_to_string(&mut text).map_err(wrong)?;
    if text.len() as u64 > MAX_NODE_FILE_BYTES {
        return Err(CommandError::invalid_input_error(format!(
            "{}: it has more than {} MiB, which no node file has; is it the right file?",
            path.display(),
            MAX_NODE_FILE_BYTES / 1024 / 1024
        )));
    }
    Ok(text)
}

fn verify(
    file: &str,
    text: &str,
    trust: &TrustSettingsOfHost,
    output: &TerminalOutput,
) -> Result<(), CommandError> {
    match &trust.node {
        Some(key) => node::verify_node_file_signature(file, text, key).map_err(|error| {
            CommandError::invalid_input_error(error.to_string()).with_hint(
                "this host accepts only node files its back-office signed: run `punch restore`, or try the file on a folder with `--root DIR`; \
                 `--allow-unsigned` accepts it anyway",
            )
        }),
        None => {
            if !node::has_signature_line(text) {
                output.print_note_to_stderr(format!("note: {file} is not signed, and this host has no key to check signatures with"));
            }
            Ok(())
        }
    }
}

fn check_server(file: &str, node: &Node, trust: &TrustSettingsOfHost) -> Result<(), CommandError> {
    match &trust.server {
        Some(server) if *server != node.server => Err(CommandError::invalid_input_error(format!(
            "{file} is for server {}, but this host is {server}",
            node.server
        ))
        .with_hint("was a file copied from another host? `punch restore` fetches the right one")),
        _ => Ok(()),
    }
}
