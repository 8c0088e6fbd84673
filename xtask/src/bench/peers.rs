//! reclass and reclass-rs, the two that resolve an inventory as we do: installed from PyPI into the work folder.

use std::{fs, path::Path, path::PathBuf};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
    output,
};

/// What pip installs; the packages' names and versions, so that figures of two runs can be compared.
const PACKAGES: &str = "kapicorp-reclass==2.0.0 reclass-rs==0.11.0";

/// One of the two.
pub(super) struct InventoryPeer {
    /// Its name.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: String,
    /// The command line before the inventory's folder: loads and resolves it, and prints none of it.
    command: String,
}

impl InventoryPeer {
    /// Loads and resolves a whole inventory.
    pub(super) fn command_to_resolve_inventory(&self, inventory: &Path) -> String {
        format!("{} {}", self.command, inventory.display())
    }

    /// Prints the values of some servers as JSON.
    pub(super) fn command_to_print_server_values(&self, inventory: &Path, servers: &[&str]) -> String {
        format!("{} {} --json {}", self.command, inventory.display(), servers.join(" "))
    }
}

/// Both peers, or none where Python cannot have them. `work` keeps them for the next run.
pub(super) fn install_reclass_peers(work: &Path) -> Result<Vec<InventoryPeer>, ChoreFailure> {
    fs::create_dir_all(work).map_err(io_failure_maker_for_path("create", work))?;
    let terminal = CommandShell::shell_on_this_machine(work);
    let complete = format!("peers/bin/pip install --quiet --no-index {PACKAGES}");
    if terminal.run_line_to_any_exit(&complete)?.code != 0 {
        let install =
            format!("/usr/bin/python3 -m venv --clear peers && peers/bin/pip install --quiet {PACKAGES}");
        let answer = terminal.run_line_to_any_exit(&install)?;
        if answer.code != 0 {
            output::print_note(&format!("reclass and reclass-rs are not compared: {install} failed:"));
            output::print_note(answer.stdout_and_stderr_text().trim_end());
            return Ok(Vec::new());
        }
    }
    let peers = [
        ("reclass", "kapicorp-reclass", "reclass_peer.py", include_str!("peers/reclass_peer.py")),
        ("reclass-rs", "reclass-rs", "reclass_rs_peer.py", include_str!("peers/reclass_rs_peer.py")),
    ];
    let python: PathBuf = work.join("peers/bin/python");
    let mut installed = Vec::new();
    for (name, package, file, text) in peers {
        let script = work.join("peers").join(file);
        fs::write(&script, text).map_err(io_failure_maker_for_path("write", &script))?;
        let ask = format!(
            "{} -c 'from importlib.metadata import version; print(version(\"{package}\"))'",
            python.display()
        );
        let version = terminal.run_line_expecting_success(&ask)?.out.trim().to_owned();
        let command = format!("{} {}", python.display(), script.display());
        installed.push(InventoryPeer { name, version, command });
    }
    Ok(installed)
}
