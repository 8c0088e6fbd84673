//! Resolution in a running control plane: a whole estate is imported, one key of it edited, one server asked for.

use std::{fs, time::Duration};

use super::{
    BenchSettings,
    measure::{CommandToTime, TimeAndMemoryCost, medians_of_cost_figures},
    peers::InventoryPeer,
    results::{ComparisonWithPeerTool, PeerResult, ResultTarget},
};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    generated_inventory::{self, GeneratedInventory, INVENTORY_CHANNEL},
    output,
    scripted_developer::{self, DeveloperWorkspace},
};

/// How long the import of a whole estate may take.
const IMPORT_TARGET: ResultTarget = ResultTarget::Wall(Duration::from_secs(3));

/// How long the preview of an edit may take that reaches every server.
const EDIT_TARGET: ResultTarget = ResultTarget::Wall(Duration::from_secs(2));

/// How long the first answer for one server may take.
const ONE_TARGET: ResultTarget = ResultTarget::Wall(Duration::from_millis(5));

/// How often the control plane is started again to be asked for one server.
const RESTARTS: usize = 5;

/// Times the three. `peer_costs` is what resolving the whole inventory cost each peer, when it was measured.
pub(super) fn time_import_preview_and_first_answer(
    bench: &BenchSettings<'_>,
    developer: &DeveloperWorkspace,
    peers: &[InventoryPeer],
    peer_costs: &[TimeAndMemoryCost],
    rows: &mut Vec<ComparisonWithPeerTool>,
) -> Result<(), ChoreFailure> {
    let terminal = &developer.terminal;
    let servers = bench.servers;
    let mut add =
        |name: &str, what: String, ours: TimeAndMemoryCost, peer: Vec<PeerResult>, target: ResultTarget| {
            // Without a peer the row still tells ours.
            let alone = peer.is_empty().then_some(None);
            for peer in peer.into_iter().map(Some).chain(alone) {
                let row =
                    ComparisonWithPeerTool { name: name.to_owned(), what: what.clone(), ours, peer, target };
                row.print_result_row();
                rows.push(row);
            }
        };

    let inventory = GeneratedInventory::generate_inventory(servers);
    let port = ControlPlaneProcess::find_free_port("127.0.0.1")?;
    terminal
        .run_line_expecting_success(&format!("geppetto init --data data --channel {INVENTORY_CHANNEL}"))?;
    let control_plane = start(developer, port)?;
    publish_components(developer, &control_plane, &inventory)?;
    generated_inventory::write_inventory_places_as_estate(&inventory, &developer.folder.join("estate"))?;

    let import =
        CommandToTime { before: "", typed: "punch import estate", control_plane: Some(&control_plane) };
    let cost = import.run_once_and_measure(terminal)?;
    add(&format!("import-{servers}"), format!("import {servers} servers"), cost, Vec::new(), IMPORT_TARGET);

    // Every run previews another text, so that no answer of an earlier one helps.
    let edit = "echo $(( $(cat edits 2> /dev/null || echo 0) + 1 )) > edits && \
                sed -i \"s/^    user: .*/    user: sshd-$(cat edits)/\" estate/roles/base.yaml";
    let preview = CommandToTime {
        before: edit,
        typed: "punch import estate --dry-run",
        control_plane: Some(&control_plane),
    };
    let cost = preview.measure_median_cost(terminal, bench.runs)?;
    // A peer that shall say what an edit changes resolves the inventory before and after it.
    let twice = peers
        .iter()
        .zip(peer_costs)
        .map(|(peer, cost)| peer.new_peer_result_from_cost(cost.multiply_time_by_repetitions(2)));
    let what = format!("preview an edit of one key that reaches {servers} servers");
    add(&format!("edit-{servers}"), what, cost, twice.collect(), EDIT_TARGET);

    drop(control_plane);
    let ours = first_answers(developer, port, &inventory, bench.runs.min(RESTARTS))?;
    let folder = developer.folder.join("inventory");
    inventory.write_as_estate_and_reclass(&folder)?;
    let mut others = Vec::new();
    for peer in peers {
        let typed = peer.command_to_print_server_values(
            &folder.join("reclass"),
            &inventory.evenly_spread_server_names(1),
        );
        let timed = CommandToTime { before: "", typed: &typed, control_plane: None };
        others.push(peer.new_peer_result_from_cost(timed.measure_median_cost(terminal, bench.runs)?));
    }
    let what = format!("the first node file after a start, of {servers} servers");
    add("resolve-one", what, ours, others, ONE_TARGET);
    Ok(())
}

/// Starts the control plane at the port the developer is signed in to.
fn start(developer: &DeveloperWorkspace, port: u16) -> Result<ControlPlaneProcess, ChoreFailure> {
    let typed = format!("geppetto serve --data data --listen 127.0.0.1:{port}");
    ControlPlaneProcess::start_and_wait_until_ready(
        &developer.terminal,
        &typed,
        &format!("http://127.0.0.1:{port}"),
    )
}

/// Packages and publishes every component.
fn publish_components(
    developer: &DeveloperWorkspace,
    control_plane: &ControlPlaneProcess,
    inventory: &GeneratedInventory,
) -> Result<(), ChoreFailure> {
    scripted_developer::log_in_and_create_trusted_developer_key(&developer.terminal, control_plane)?;
    generated_inventory::write_component_folders(inventory, &developer.folder.join("components"))?;
    for name in inventory.component_names() {
        developer.terminal.run_line_expecting_success(&format!(
            "punch package components/{name} --out dist --key alice.key"
        ))?;
    }
    developer
        .terminal
        .run_line_expecting_success(&format!("punch publish dist/*.rpm --channel {INVENTORY_CHANNEL}"))
        .map(drop)
}

/// The first answer for one server after a start: the request alone, and what the control plane did for it. Each
/// start asks for another server, whose node file was never made.
fn first_answers(
    developer: &DeveloperWorkspace,
    port: u16,
    inventory: &GeneratedInventory,
    starts: usize,
) -> Result<TimeAndMemoryCost, ChoreFailure> {
    let token = developer.folder.join("alice.token");
    let token = fs::read_to_string(&token).map_err(io_failure_maker_for_path("read", &token))?;
    let mut costs = Vec::new();
    for server in inventory.evenly_spread_server_names(starts) {
        let control_plane = start(developer, port)?;
        let before = control_plane.read_cpu_time()?;
        let began = output::current_instant();
        control_plane.fetch_raw_api_response(&format!("/api/v1/servers/{server}/node"), token.trim())?;
        let wall = began.elapsed();
        costs.push(TimeAndMemoryCost {
            wall,
            cpu: control_plane.read_cpu_time()?.elapsed_since(before),
            peak_kb: None,
        });
    }
    Ok(medians_of_cost_figures(&costs))
}
