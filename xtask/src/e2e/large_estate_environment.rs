//! What the story of a large estate has beside the environment that all stories share: a control plane, a developer,
//! 10,000 servers, and one of them booted.

use std::path::Path;

use crate::{
    chore_failure::ChoreFailure,
    command_shell::{CommandOutput, CommandShell},
    control_plane::ControlPlaneProcess,
    generated_inventory::{self, GeneratedInventory, INVENTORY_CHANNEL},
    scripted_developer::{self, DeveloperWorkspace},
    test_host::BootedHost,
};

/// How many node files are compared before and after what must change none.
pub(super) const SAMPLED_NODE_FILE_COUNT: usize = 25;

/// What the story has beside the environment that all share.
pub(super) struct LargeEstateEnvironment {
    /// The one server that is booted; absent until it has joined.
    pub(super) host: Option<BootedHost>,
    /// Absent while it is killed.
    pub(super) control_plane: Option<ControlPlaneProcess>,
    /// Its developer.
    pub(super) developer: DeveloperWorkspace,
    /// Where the control plane answers.
    pub(super) address: String,
    inventory: GeneratedInventory,
}

impl LargeEstateEnvironment {
    /// Starts its control plane, publishes the components and writes the estate, which is not imported yet.
    pub(super) fn prepare_large_estate(
        developer: DeveloperWorkspace,
        checkout: &Path,
        address_to_listen_at: &str,
        servers: usize,
    ) -> Result<LargeEstateEnvironment, ChoreFailure> {
        let terminal = &developer.terminal;
        let inventory = GeneratedInventory::generate_inventory(servers);
        let control_plane =
            scripted_developer::start_control_plane_on_free_port(terminal, address_to_listen_at)?;
        scripted_developer::log_in_and_create_trusted_developer_key(terminal, &control_plane)?;
        generated_inventory::write_component_folders(&inventory, &developer.folder.join("components"))?;
        for name in inventory.component_names() {
            terminal.run_line_expecting_success(&format!(
                "punch package components/{name} --out dist --key alice.key"
            ))?;
        }
        terminal.run_line_expecting_success(&format!("punch channel create {INVENTORY_CHANNEL}"))?;
        terminal
            .run_line_expecting_success(&format!("punch publish dist/*.rpm --channel {INVENTORY_CHANNEL}"))?;
        // Where a host gets its first punch from.
        terminal.run_line_expecting_success(&format!(
            "punch package {}/library/punch --out first --key alice.key && punch publish first/*.rpm --channel prod",
            checkout.display()
        ))?;
        generated_inventory::write_inventory_places_as_estate(&inventory, &developer.folder.join("estate"))?;
        let address = control_plane.url().to_owned();
        Ok(LargeEstateEnvironment {
            host: None,
            control_plane: Some(control_plane),
            developer,
            address,
            inventory,
        })
    }

    /// The developer's terminal.
    pub(super) fn developer_shell(&self) -> &CommandShell {
        &self.developer.terminal
    }

    /// The booted server.
    pub(super) fn host(&self) -> Result<&BootedHost, ChoreFailure> {
        self.host.as_ref().ok_or_else(|| ChoreFailure::new("no server was booted", "the second check"))
    }

    /// Imports the estate's folder.
    pub(super) fn import_estate(&self, options: &str) -> Result<CommandOutput, ChoreFailure> {
        self.developer_shell().run_line_expecting_success(&format!("punch import estate {options}"))
    }

    /// The node files of the sample, which name their generations.
    pub(super) fn sampled_node_files(&self) -> Result<Vec<String>, ChoreFailure> {
        let names = self.inventory.evenly_spread_server_names(SAMPLED_NODE_FILE_COUNT);
        names
            .iter()
            .map(|name| {
                let typed = format!("punch server node {name}");
                self.developer_shell()
                    .clone()
                    .without_echo()
                    .run_line_expecting_success(&typed)
                    .map(|done| done.out)
            })
            .collect()
    }
}
