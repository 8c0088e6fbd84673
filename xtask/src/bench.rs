//! `cargo xtask bench`: our commands beside a real peer doing the same work, in CPU and wall seconds.
//!
//! Each command runs once to warm up and then a number of times; the medians are compared. A peer that is not
//! installed is named as such: no number is made up for it.

mod cases;
mod control_plane_resolution;
mod equality;
mod measure;
mod peers;
mod resolution;
mod results;
mod sizes;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use self::{
    measure::CommandToTime,
    results::{ComparisonWithPeerTool, PeerResult, ResultTarget},
};
use crate::{chore_failure::ChoreFailure, output, scripted_developer::DeveloperWorkspace};

/// What the run needs to know.
pub(crate) struct BenchSettings<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The work folder.
    pub(crate) work: &'a Path,
    /// Where the two programs are.
    pub(crate) programs: PathBuf,
    /// Cargo's name of the profile they were built with.
    pub(crate) profile: &'a str,
    /// How often each command is timed.
    pub(crate) runs: usize,
    /// How many servers the larger inventory has.
    pub(crate) servers: usize,
    /// Only this part.
    pub(crate) only: Option<BenchPart>,
}

/// A part of the benchmarks that can run alone.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchPart {
    /// Packaging, publishing, applying, starting
    Commands,
    /// Resolution of whole inventories
    Resolution,
    /// Resolution in a control plane; what the edit costs the peers is known only when all parts run
    ControlPlaneResolution,
}

/// One comparison of two command lines.
struct Case {
    /// The row's name.
    name: String,
    /// What both do.
    what: String,
    /// Ours, as typed.
    ours: String,
    /// The peer's name, and its command as typed.
    peer: (&'static str, String),
    /// Prints the peer's version; fails where the peer is not installed.
    peer_version: &'static str,
    /// Typed before every run, untimed.
    before: String,
    /// Whether the control plane does a part of our work.
    asks_control_plane: bool,
    /// What the row must reach.
    target: ResultTarget,
}

/// Times everything, prints the table and writes the results, those before a failure too.
pub(crate) fn run_benchmarks(bench: &BenchSettings<'_>) -> Result<(), ChoreFailure> {
    let mut rows = Vec::new();
    results::print_result_table_head();
    let outcome = run_parts(bench, &mut rows);
    results::write_bench_results_json(bench.root, &rows)?;
    outcome
}

fn run_parts(bench: &BenchSettings<'_>, rows: &mut Vec<ComparisonWithPeerTool>) -> Result<(), ChoreFailure> {
    let wanted = |part| bench.only.is_none_or(|only| only == part);
    let developer = |folder| {
        DeveloperWorkspace::create_emptied_workspace(
            bench.root,
            bench.work,
            folder,
            &bench.programs,
            bench.profile,
        )
    };
    let mut weight = Ok(());
    if wanted(BenchPart::Commands) {
        let developer = developer("bench")?;
        let prepared = cases::set_up_control_plane_and_cases(&developer)?;
        let start = compare_commands(bench, &developer, &prepared, rows)?;
        weight = sizes::check_sizes_memory_and_start_up(
            &bench.programs,
            bench.profile == "release",
            start,
            &prepared.control_plane,
        );
    }
    let mut peer_costs = Vec::new();
    if wanted(BenchPart::Resolution) {
        let peers = peers::install_reclass_peers(bench.work)?;
        peer_costs = resolution::compare_and_time_resolution(
            bench,
            &developer("bench-resolution")?.terminal,
            &peers,
            rows,
        )?;
    }
    if wanted(BenchPart::ControlPlaneResolution) {
        let peers = peers::install_reclass_peers(bench.work)?;
        let developer = developer("bench-control-plane")?;
        control_plane_resolution::time_import_preview_and_first_answer(
            bench,
            &developer,
            &peers,
            &peer_costs,
            rows,
        )?;
    }
    weight
}

/// Times all cases; returns how long punch takes to start.
fn compare_commands(
    bench: &BenchSettings<'_>,
    developer: &DeveloperWorkspace,
    prepared: &cases::PreparedBenchCases,
    rows: &mut Vec<ComparisonWithPeerTool>,
) -> Result<Duration, ChoreFailure> {
    let terminal = &developer.terminal;
    let mut start = Duration::ZERO;
    for case in &prepared.cases {
        let control_plane = case.asks_control_plane.then_some(&prepared.control_plane);
        let ours = CommandToTime { before: &case.before, typed: &case.ours, control_plane };
        let ours = ours.measure_median_cost(terminal, bench.runs)?;
        if case.name == cases::START_UP_CASE_NAME {
            start = ours.wall;
        }
        let (name, typed) = &case.peer;
        let version = terminal.run_line_to_any_exit(case.peer_version)?;
        let peer = match version.code {
            0 => {
                let theirs = CommandToTime { before: &case.before, typed, control_plane: None };
                let cost = theirs.measure_median_cost(terminal, bench.runs)?;
                Some(PeerResult { name: (*name).to_owned(), version: version_number(&version.out), cost })
            }
            _ => {
                output::print_note(&format!("{name} is not installed"));
                None
            }
        };
        let what = case.what.clone();
        let row = ComparisonWithPeerTool { name: case.name.clone(), what, ours, peer, target: case.target };
        row.print_result_row();
        rows.push(row);
    }
    Ok(start)
}

/// The version in what a program prints about itself: its first word that starts with a digit.
fn version_number(printed: &str) -> String {
    let number = printed.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or(printed.trim()).trim_end_matches(',').to_owned()
}
