//! Resolution of whole inventories, beside reclass and reclass-rs.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    BenchSettings, equality,
    measure::{CommandToTime, TimeAndMemoryCost},
    peers::InventoryPeer,
    results::{ComparisonWithPeerTool, PeerResult, ResultTarget},
};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
    generated_inventory::GeneratedInventory,
    output,
};

/// The number of servers of the smaller inventory.
const SMALL: usize = 1000;

/// How many servers' values are compared with each peer's.
const COMPARED: usize = 20;

/// The most CPU time for the smaller inventory.
const SMALL_TARGET: ResultTarget = ResultTarget::Cpu(Duration::from_millis(160));

/// The most CPU time and memory, in kB, for the larger inventory.
const LARGE_TARGET: ResultTarget = ResultTarget::CpuAndPeak(Duration::from_millis(850), 300_000);

/// How long it may take to write and sign the node files of all servers of the larger inventory, its resolution included.
const NODE_FILES_TARGET: ResultTarget = ResultTarget::Wall(Duration::from_secs(10));

/// Proves that all sides give the same values, and times them. Returns what the larger inventory cost each peer.
pub(super) fn compare_and_time_resolution(
    bench: &BenchSettings<'_>,
    terminal: &CommandShell,
    peers: &[InventoryPeer],
    rows: &mut Vec<ComparisonWithPeerTool>,
) -> Result<Vec<TimeAndMemoryCost>, ChoreFailure> {
    if bench.servers != SMALL {
        resolve_all(bench, terminal, peers, (SMALL, SMALL_TARGET), rows)?;
    }
    let costs = resolve_all(bench, terminal, peers, (bench.servers, LARGE_TARGET), rows)?;
    write_node_files(bench, terminal, rows)?;
    Ok(costs)
}

/// Writes and signs all node files, in memory.
fn write_node_files(
    bench: &BenchSettings<'_>,
    terminal: &CommandShell,
    rows: &mut Vec<ComparisonWithPeerTool>,
) -> Result<(), ChoreFailure> {
    let servers = bench.servers;
    let estate = inventory_folder(terminal, servers).join("estate");
    let program = bench.programs.join("xtask");
    let typed = format!("{} resolve-estate {} --node-files", program.display(), estate.display());
    let command = CommandToTime { before: "", typed: &typed, control_plane: None };
    let ours = command.measure_median_cost(terminal, bench.runs)?;
    let what = format!("load and resolve {servers} servers, write and sign their node files");
    let name = format!("node-files-{servers}");
    let row = ComparisonWithPeerTool { name, what, ours, peer: None, target: NODE_FILES_TARGET };
    row.print_result_row();
    rows.push(row);
    Ok(())
}

fn inventory_folder(terminal: &CommandShell, servers: usize) -> PathBuf {
    terminal.working_folder().join(format!("inventory-{servers}"))
}

fn resolve_all(
    bench: &BenchSettings<'_>,
    terminal: &CommandShell,
    peers: &[InventoryPeer],
    (servers, target): (usize, ResultTarget),
    rows: &mut Vec<ComparisonWithPeerTool>,
) -> Result<Vec<TimeAndMemoryCost>, ChoreFailure> {
    let folder = inventory_folder(terminal, servers);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io_failure_maker_for_path("remove", &folder))?;
    }
    let inventory = GeneratedInventory::generate_inventory(servers);
    inventory.write_as_estate_and_reclass(&folder)?;
    let (estate, reclass) = (folder.join("estate"), folder.join("reclass"));
    let program = bench.programs.join("xtask");
    if !program.exists() {
        return Err(ChoreFailure::new(
            format!("{} is not there", program.display()),
            format!("cargo build --profile {} --package xtask", bench.profile),
        ));
    }
    let ours = format!("{} resolve-estate {}", program.display(), estate.display());
    let sample = format!("{ours} --json-sample {COMPARED}");
    for peer in peers {
        let theirs =
            peer.command_to_print_server_values(&reclass, &inventory.evenly_spread_server_names(COMPARED));
        let compared = equality::check_equal_resolved_values(terminal, &sample, (peer.name, &theirs))?;
        output::print_note(&format!(
            "{compared} values of {COMPARED} servers of {servers} are {}'s too",
            peer.name
        ));
    }
    let timed = |typed: &str| {
        CommandToTime { before: "", typed, control_plane: None }.measure_median_cost(terminal, bench.runs)
    };
    let cost = timed(&ours)?;
    let peer_costs: Vec<TimeAndMemoryCost> = peers
        .iter()
        .map(|peer| timed(&peer.command_to_resolve_inventory(&reclass)))
        .collect::<Result<_, _>>()?;
    let compared =
        peers.iter().zip(&peer_costs).map(|(peer, cost)| Some(peer.new_peer_result_from_cost(*cost)));
    // Without a peer the row still tells ours.
    let unaccompanied = peers.is_empty().then_some(None);
    for peer in compared.chain(unaccompanied) {
        let what = format!("load and resolve {servers} servers");
        let row =
            ComparisonWithPeerTool { name: format!("resolve-{servers}"), what, ours: cost, peer, target };
        row.print_result_row();
        rows.push(row);
    }
    Ok(peer_costs)
}

impl InventoryPeer {
    /// What something cost it.
    pub(super) fn new_peer_result_from_cost(&self, cost: TimeAndMemoryCost) -> PeerResult {
        PeerResult { name: self.name.to_owned(), version: self.version.clone(), cost }
    }
}
