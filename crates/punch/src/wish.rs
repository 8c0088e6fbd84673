//! The node file a run is about: read, and believed only when it may be.

use std::path::Path;

use model::{format::node, node::Node};

use crate::{
    failure::Failure, membership::Membership, output::Output, root::Root, state::LastGood, trust::Trust,
};

/// What a host shall be, and the text that says so.
pub(crate) struct Wish {
    /// The file as people know it: a path, an address.
    pub(crate) file: String,
    /// The text, signature included.
    pub(crate) text: String,
    /// What it says.
    pub(crate) node: Node,
    /// What the back-office calls it.
    pub(crate) tag: Option<String>,
}

impl Wish {
    /// Reads a node file of the user.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?;
        Self::parse(&path.display().to_string(), text, None)
    }

    /// Reads the text of a node file.
    pub(crate) fn parse(file: &str, text: String, tag: Option<String>) -> Result<Self, Failure> {
        let node = node::read(file, &text)?;
        Ok(Self { file: file.to_owned(), text, node, tag })
    }

    /// Takes the last good node file again.
    pub(crate) fn again(good: LastGood) -> Self {
        let file = format!("the last good node file (generation {})", good.node.generation);
        Self { file, text: good.text, node: good.node, tag: good.tag }
    }

    /// Whether this host may follow it: signed by whom it trusts, for this server, and not older than
    /// what it followed before.
    pub(crate) fn check(
        &self,
        root: &Root,
        trust: &Trust,
        last: Option<&LastGood>,
        output: &Output,
    ) -> Result<(), Failure> {
        match &trust.node {
            Some(key) => node::verify(&self.file, &self.text, key).map_err(|error| {
                Failure::input(error.to_string()).hint(
                    "this host follows only what its back-office signed: run `punch restore`, or try the file on a folder with `--root DIR`; \
                     `--allow-unsigned` follows it anyway",
                )
            })?,
            None if !node::is_signed(&self.text) => {
                output.note(format!("note: {} is not signed, and {} asks for no signature", self.file, root.path().display()));
            }
            None => (),
        }
        if trust.node.is_some()
            && let Some(membership) = Membership::load(root)?
            && membership.server != self.node.server
        {
            return Err(Failure::input(format!(
                "{} is for server {}, and this host is {}",
                self.file, self.node.server, membership.server
            ))
            .hint("was a file copied from another host? `punch restore` fetches the right one"));
        }
        let digest = node::content_digest(&self.node);
        let before = last.map(|last| (last.node.generation, node::content_digest(&last.node)));
        let before = before.as_ref().map(|(generation, digest)| (*generation, digest.as_str()));
        node::accept(before, (self.node.generation, &digest)).map_err(|why| {
            Failure::input(format!("{}: {why}", self.file))
                .hint("`punch status` shows what this host follows; to go back, restore the older revision in the back-office, which gives it a new generation")
        })
    }
}
