//! The good generations of a host, and the one that was given up.

use converge::{PUNCH_STATE_FOLDER, RunPurpose};
use model::{
    exit::Exit,
    format::node,
    node::{Node, digest_node_content},
};
use serde::{Deserialize, Serialize};

use super::{AgentStateFiles, LastGoodNode, path};
use crate::command_error::CommandError;

/// The folder of the good node files before the last one.
const EARLIER_GOOD: &str = "good";
/// The generation that was given up.
const GIVEN_UP: &str = "given-up.json";
/// How many good node files are kept besides the last one.
const MAX_EARLIER_GOOD: usize = 5;

/// A generation that this host went back from. It is not tried again until its content changes or a person says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenUpGeneration {
    /// Its number.
    pub(crate) generation: u64,
    /// The digest of its content.
    pub(crate) digest: String,
    /// Why it was given up, as a sentence.
    pub(crate) because: String,
    /// The node file that the host goes back to, signature included.
    pub(crate) back_to: String,
}

impl GivenUpGeneration {
    pub(crate) fn new(node: &Node, because: String, back_to: &str) -> Self {
        Self {
            generation: node.generation,
            digest: digest_node_content(node).to_string(),
            because,
            back_to: back_to.to_owned(),
        }
    }

    /// Why the host is made what it was before.
    pub(crate) fn purpose_of_going_back(&self) -> RunPurpose {
        let from = describe_generation_number(self.generation, "the node file");
        RunPurpose::RollBack { from, because: self.because.clone() }
    }

    /// The node file that the host goes back to.
    pub(crate) fn good_node_to_go_back_to(&self) -> Result<LastGoodNode, CommandError> {
        let node = node::parse_node_yaml(GIVEN_UP, &self.back_to)?;
        Ok(LastGoodNode { text: self.back_to.clone(), node, tag: None, at: 0 })
    }

    /// Whether this is what was given up.
    pub(crate) fn has_content_of(&self, node: &Node) -> bool {
        self.digest == digest_node_content(node).to_string()
    }
}

impl AgentStateFiles {
    /// The generation that was given up, if the host is not in a newer good one.
    pub(crate) fn read_given_up_generation(&self) -> Result<Option<GivenUpGeneration>, CommandError> {
        let Some(text) = self.files.read_text_file_if_exists(&path(GIVEN_UP))? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            let shown = self.files.display_path(&path(GIVEN_UP));
            CommandError::blocked_error(format!("{}: not what punch writes: {error}", shown.display()))
                .with_hint(
                    "it says which generation must not be tried again; move it away to try the newest one",
                )
        })
    }

    /// Writes down, before anything is changed back, that the host goes back from a generation.
    pub(crate) fn save_given_up_generation(&self, given_up: &GivenUpGeneration) -> Result<(), CommandError> {
        let text = serde_json::to_vec_pretty(given_up).map_err(|error| {
            CommandError::new(Exit::Bug, format!("a generation cannot be written: {error}"))
        })?;
        self.files.replace_file(&path(GIVEN_UP), &text, 0o600)
    }

    /// Nothing is given up any more.
    pub(crate) fn forget_given_up_generation(&self) -> Result<(), CommandError> {
        self.files.remove_file_if_exists(&path(GIVEN_UP))
    }

    /// The host is in the generation `now`, where `last` was the last good one: if that is another, it is an earlier one from
    /// now on, and what was given up before is history.
    pub(crate) fn keep_earlier_good_node_and_forget_given_up(
        &self,
        now: &Node,
        last: Option<&LastGoodNode>,
    ) -> Result<(), CommandError> {
        let Some(last) = last else { return Ok(()) };
        if digest_node_content(&last.node) == digest_node_content(now) {
            return Ok(());
        }
        self.keep_earlier_good_node(last)?;
        self.forget_given_up_generation()
    }

    /// Keeps what was the last good node file until now, as an earlier one.
    fn keep_earlier_good_node(&self, good: &LastGoodNode) -> Result<(), CommandError> {
        let folder = path(EARLIER_GOOD);
        for folder in [PUNCH_STATE_FOLDER, &folder] {
            let created = self.files.host_root().create_private_folder(folder);
            created.map_err(|error| {
                CommandError::cannot_write_file_error(&self.files.display_path(folder), &error)
            })?;
        }
        // In the order in which they were good.
        self.files.replace_file(&format!("{folder}/{:020}.yaml", good.at), good.text.as_bytes(), 0o600)?;
        for file in self.earlier_good_files()?.iter().rev().skip(MAX_EARLIER_GOOD) {
            self.files.remove_file_if_exists(file)?;
        }
        Ok(())
    }

    /// The good node files before the last one, newest first.
    pub(crate) fn read_earlier_good_nodes(&self) -> Result<Vec<LastGoodNode>, CommandError> {
        let mut nodes = Vec::new();
        for file in self.earlier_good_files()?.into_iter().rev() {
            let Some(text) = self.files.read_text_file_if_exists(&file)? else { continue };
            let shown = self.files.display_path(&file).display().to_string();
            let node = node::parse_node_yaml(&shown, &text).map_err(|error| {
                CommandError::blocked_error(format!("an earlier good node file cannot be read: {error}"))
                    .with_hint(format!("it was damaged; move {shown} away"))
            })?;
            nodes.push(LastGoodNode { text, node, tag: None, at: 0 });
        }
        Ok(nodes)
    }

    /// A good node file that the host may go back to: the given generation, or the newest whose content is not that of
    /// the last good one.
    pub(crate) fn find_good_node_to_go_back_to(
        &self,
        last: &LastGoodNode,
        generation: Option<u64>,
    ) -> Result<LastGoodNode, CommandError> {
        let mut earlier = self.read_earlier_good_nodes()?;
        earlier.retain(|good| digest_node_content(&good.node) != digest_node_content(&last.node));
        let numbers: Vec<String> = earlier.iter().map(|good| good.node.generation.to_string()).collect();
        let found = match generation {
            Some(number) => earlier.into_iter().find(|good| good.node.generation == number),
            None => earlier.into_iter().next(),
        };
        found.ok_or_else(|| {
            let kept = match numbers.is_empty() {
                true => "this host keeps no earlier good generation".to_owned(),
                false => format!("this host keeps the good generations {}", numbers.join(", ")),
            };
            let wanted = generation.map_or_else(String::new, |number| format!("generation {number}: "));
            CommandError::invalid_input_error(format!(
                "{wanted}{kept}; it is in generation {}",
                last.node.generation
            ))
            .with_hint("restore the older revision in the back-office, which gives it a new generation")
        })
    }

    fn earlier_good_files(&self) -> Result<Vec<String>, CommandError> {
        let folder = path(EARLIER_GOOD);
        let names = self.files.host_root().list_folder_or_empty(&folder);
        let mut names = names.map_err(|error| {
            CommandError::cannot_read_file_error(&self.files.display_path(&folder), &error)
        })?;
        names.retain(|name| name.ends_with(".yaml"));
        names.sort();
        Ok(names.into_iter().map(|name| format!("{folder}/{name}")).collect())
    }
}

/// A node file, for sentences: `generation 8`; one written by hand has no number.
pub(crate) fn describe_generation(node: &Node) -> String {
    describe_generation_number(node.generation, "the node file")
}

/// The last good node file, for sentences.
pub(crate) fn describe_last_good_generation(node: &Node) -> String {
    describe_generation_number(node.generation, "the last good node file")
}

fn describe_generation_number(generation: u64, without_number: &str) -> String {
    match generation {
        0 => without_number.to_owned(),
        number => format!("generation {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_files::HostFileAccess;

    fn good(generation: u64, at: i64) -> LastGoodNode {
        let text = format!(
            "format: geppetto/node/1\ngeneration: {generation}\ncomponents: {{a{generation}: {{version: 1.0.0}}}}\n"
        );
        let node = node::parse_node_yaml("n", &text).unwrap();
        LastGoodNode { text, node, tag: None, at }
    }

    #[test]
    fn newest_earlier_generation_with_other_content_is_gone_back_to() {
        let folder = tempfile::tempdir().unwrap();
        let state = AgentStateFiles::new(&HostFileAccess::new(folder.path()).unwrap());
        drop(state.acquire_run_lock_and_set_umask().unwrap());
        for number in 1..=8 {
            state.keep_earlier_good_node(&good(number, number as i64)).unwrap();
        }
        let kept: Vec<u64> =
            state.read_earlier_good_nodes().unwrap().iter().map(|good| good.node.generation).collect();
        assert_eq!(kept, [8, 7, 6, 5, 4]);
        let target = |generation| state.find_good_node_to_go_back_to(&good(8, 9), generation);
        assert_eq!(target(None).unwrap().node.generation, 7);
        assert_eq!(target(Some(5)).unwrap().node.generation, 5);
        let refusal = target(Some(2)).err().unwrap();
        assert!(
            refusal.message.contains("generation 2: this host keeps the good generations 7, 6, 5, 4"),
            "{}",
            refusal.message
        );
    }
}
