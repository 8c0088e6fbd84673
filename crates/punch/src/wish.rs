//! The node file a run is about: believed first, then read.

use std::path::Path;

use model::{format::node, node::Node};

use crate::{
    failure::CommandError,
    output::TerminalOutput,
    state::{BegunGeneration, LastGood},
    trust::TrustedKeys,
};

/// What a host shall be, and the text that says so.
pub(crate) struct TrustedNode {
    /// The file as people know it: a path, an address.
    pub(crate) file: String,
    /// The text, signature included.
    pub(crate) text: String,
    /// Its overrides.
    pub(crate) node: Node,
    /// What the back-office calls it.
    pub(crate) tag: Option<String>,
    /// Whether the user insisted that nobody is asked who made it: its number then means nothing later.
    pub(crate) unasked: bool,
}

impl TrustedNode {
    /// Reads a node file of the user, when this host may follow it.
    pub(crate) fn read(
        path: &Path,
        trust: &TrustedKeys,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        let text = std::fs::read_to_string(path).map_err(|error| CommandError::reading(path, &error))?;
        Self::believe(&path.display().to_string(), text, None, trust, output)
    }

    /// Reads the text of a node file, when this host may follow it: signed by whom it trusts, and for
    /// this server. What nobody trusted has signed is not even parsed.
    pub(crate) fn believe(
        file: &str,
        text: String,
        tag: Option<String>,
        trust: &TrustedKeys,
        output: &TerminalOutput,
    ) -> Result<Self, CommandError> {
        verify(file, &text, trust, output)?;
        let node = node::read(file, &text)?;
        check_server(file, &node, trust)?;
        Ok(Self { file: file.to_owned(), text, node, tag, unasked: trust.unasked })
    }

    /// Takes the last good node file again; whom this host trusts may have changed since.
    pub(crate) fn again(
        good: &LastGood,
        trust: &TrustedKeys,
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
            unasked: false,
        })
    }

    /// Whether it is as new as all that any run on this host ever began. Ask it under the lock.
    pub(crate) fn accept(&self, begun: Option<&BegunGeneration>) -> Result<(), CommandError> {
        let before = begun.map(|begun| (begun.generation, begun.digest.as_str()));
        let digest = node::content_digest(&self.node);
        node::check_generation_order(before, (self.node.generation, &digest)).map_err(|why| {
            CommandError::input(format!("{}: {why}", self.file))
                .hint("`punch status` shows what this host follows; to go back, restore the older revision in the back-office, which gives it a new generation")
        })
    }
}

fn verify(file: &str, text: &str, trust: &TrustedKeys, output: &TerminalOutput) -> Result<(), CommandError> {
    match &trust.node {
        Some(key) => node::verify(file, text, key).map_err(|error| {
            CommandError::input(error.to_string()).hint(
                "this host follows only what its back-office signed: run `punch restore`, or try the file on a folder with `--root DIR`; \
                 `--allow-unsigned` follows it anyway",
            )
        }),
        None => {
            if !node::is_signed(text) {
                output.note(format!("note: {file} is not signed, and no signature is asked for"));
            }
            Ok(())
        }
    }
}

fn check_server(file: &str, node: &Node, trust: &TrustedKeys) -> Result<(), CommandError> {
    match &trust.server {
        Some(server) if *server != node.server => Err(CommandError::input(format!(
            "{file} is for server {}, and this host is {server}",
            node.server
        ))
        .hint("was a file copied from another host? `punch restore` fetches the right one")),
        _ => Ok(()),
    }
}
