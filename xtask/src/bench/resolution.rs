//! Resolution of whole inventories, beside reclass and reclass-rs.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    Bench, equality,
    measure::{Cost, TimedCommand},
    peers::InventoryPeer,
    results::{PeerResult, ResultRow, Target},
};
use crate::{
    command_failure::{CommandFailure, io_failure_at},
    command_shell::CommandShell,
    inventory::Inventory,
    output,
};

/// The number of servers of the smaller inventory.
const SMALL: usize = 1000;

/// How many servers' values are compared with each peer's.
const COMPARED: usize = 20;

/// The most CPU time for the smaller inventory.
const SMALL_TARGET: Target = Target::Cpu(Duration::from_millis(160));

/// The most CPU time and memory, in kB, for the larger inventory.
const LARGE_TARGET: Target = Target::CpuAndPeak(Duration::from_millis(850), 300_000);

/// How long it may take to write and sign the node files of all servers of the larger inventory, its resolution included.
const NODE_FILES_TARGET: Target = Target::Wall(Duration::from_secs(10));

/// Proves that all sides give the same values, and times them. Returns what the larger inventory cost each peer.
pub(super) fn run(
    bench: &Bench<'_>,
    terminal: &CommandShell,
    peers: &[InventoryPeer],
    rows: &mut Vec<ResultRow>,
) -> Result<Vec<Cost>, CommandFailure> {
    if bench.servers != SMALL {
        resolve_all(bench, terminal, peers, (SMALL, SMALL_TARGET), rows)?;
    }
    let costs = resolve_all(bench, terminal, peers, (bench.servers, LARGE_TARGET), rows)?;
    write_node_files(bench, terminal, rows)?;
    Ok(costs)
}

/// Writes and signs all node files, in memory.
fn write_node_files(
    bench: &Bench<'_>,
    terminal: &CommandShell,
    rows: &mut Vec<ResultRow>,
) -> Result<(), CommandFailure> {
    let servers = bench.servers;
    let estate = inventory_folder(terminal, servers).join("estate");
    let program = bench.programs.join("xtask");
    let typed = format!("{} resolve-estate {} --node-files", program.display(), estate.display());
    let command = TimedCommand { before: "", typed: &typed, control_plane: None };
    let ours = command.measure(terminal, bench.runs)?;
    let what = format!("load and resolve {servers} servers, write and sign their node files");
    let name = format!("node-files-{servers}");
    let row = ResultRow { name, what, ours, peer: None, target: NODE_FILES_TARGET };
    row.print();
    rows.push(row);
    Ok(())
}

fn inventory_folder(terminal: &CommandShell, servers: usize) -> PathBuf {
    terminal.working_folder().join(format!("inventory-{servers}"))
}

fn resolve_all(
    bench: &Bench<'_>,
    terminal: &CommandShell,
    peers: &[InventoryPeer],
    (servers, target): (usize, Target),
    rows: &mut Vec<ResultRow>,
) -> Result<Vec<Cost>, CommandFailure> {
    let folder = inventory_folder(terminal, servers);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io_failure_at("remove", &folder))?;
    }
    let inventory = Inventory::generate(servers);
    inventory.write_both(&folder)?;
    let (estate, reclass) = (folder.join("estate"), folder.join("reclass"));
    let program = bench.programs.join("xtask");
    if !program.exists() {
        return Err(CommandFailure::new(
            format!("{} is not there", program.display()),
            format!("cargo build --profile {} --package xtask", bench.profile),
        ));
    }
    let ours = format!("{} resolve-estate {}", program.display(), estate.display());
    let sample = format!("{ours} --json-sample {COMPARED}");
    for peer in peers {
        let theirs = peer.values(&reclass, &inventory.sample_servers(COMPARED));
        let compared = equality::check(terminal, &sample, (peer.name, &theirs))?;
        output::print_note(&format!(
            "{compared} values of {COMPARED} servers of {servers} are {}'s too",
            peer.name
        ));
    }
    let timed =
        |typed: &str| TimedCommand { before: "", typed, control_plane: None }.measure(terminal, bench.runs);
    let cost = timed(&ours)?;
    let peer_costs: Vec<Cost> =
        peers.iter().map(|peer| timed(&peer.whole(&reclass))).collect::<Result<_, _>>()?;
    let compared = peers.iter().zip(&peer_costs).map(|(peer, cost)| Some(peer.result(*cost)));
    // Without a peer the row still tells ours.
    let unaccompanied = peers.is_empty().then_some(None);
    for peer in compared.chain(unaccompanied) {
        let what = format!("load and resolve {servers} servers");
        let row = ResultRow { name: format!("resolve-{servers}"), what, ours: cost, peer, target };
        row.print();
        rows.push(row);
    }
    Ok(peer_costs)
}

impl InventoryPeer {
    /// What something cost it.
    pub(super) fn result(&self, cost: Cost) -> PeerResult {
        PeerResult { name: self.name.to_owned(), version: self.version.clone(), cost }
    }
}
