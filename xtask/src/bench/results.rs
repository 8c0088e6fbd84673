//! The results: a table on the terminal, and `bench/results.json` in the checkout, written anew by every run.
//!
//! The file is a list of rows. `*_cpu_s` are CPU seconds of all processes a command started, and of the control plane
//! it asked; `*_wall_s` are seconds from start to end; `*_peak_mb` is the most memory held, where it is known. `ratio`
//! is `peer_cpu_s / ours_cpu_s`. `target` is the number that the field named by `target_of` must stay below, or reach
//! when that is `ratio`; `target_peak_mb` bounds `ours_peak_mb` beside it; `met` says whether all this holds. A row
//! without a peer has `null` in the peer's fields. A row is known by `name` and `peer`.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::measure::TimeAndMemoryCost;
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    output,
};

/// One comparison, or one figure of ours with a target.
pub(super) struct ComparisonWithPeerTool {
    /// A short name that stays: `resolve-1000`.
    pub(super) name: String,
    /// What was done.
    pub(super) what: String,
    /// What ours cost.
    pub(super) ours: TimeAndMemoryCost,
    /// The peer and what it cost; `None` when there is none for it or it is not installed.
    pub(super) peer: Option<PeerResult>,
    /// What the row must reach.
    pub(super) target: ResultTarget,
}

/// A peer and what it cost.
pub(super) struct PeerResult {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// What it cost.
    pub(super) cost: TimeAndMemoryCost,
}

/// What a row must reach.
#[derive(Clone, Copy)]
pub(super) enum ResultTarget {
    /// Ours takes less CPU time.
    Cpu(Duration),
    /// Ours takes less CPU time and never holds more memory.
    CpuAndPeak(Duration, u64),
    /// Ours takes less time.
    Wall(Duration),
    /// The peer takes so many times our CPU time, or more.
    Ratio(f64),
}

impl ComparisonWithPeerTool {
    /// How many times our CPU time the peer took.
    fn ratio(&self) -> Option<f64> {
        let peer = self.peer.as_ref()?;
        Some(peer.cost.cpu.as_secs_f64() / self.ours.cpu.as_secs_f64().max(f64::EPSILON))
    }

    /// Whether the target is reached; a ratio to a peer that is not there is not.
    fn met(&self) -> bool {
        match self.target {
            ResultTarget::Cpu(limit) => self.ours.cpu < limit,
            ResultTarget::CpuAndPeak(limit, peak_kb) => {
                self.ours.cpu < limit && self.ours.peak_kb.is_some_and(|kb| kb < peak_kb)
            }
            ResultTarget::Wall(limit) => self.ours.wall < limit,
            ResultTarget::Ratio(least) => self.ratio().is_some_and(|ratio| ratio >= least),
        }
    }

    /// Prints it as a line of the table.
    pub(super) fn print_result_row(&self) {
        let peer = self.peer.as_ref();
        let ratio = self.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.1}x"));
        output::print_line(&format!(
            "{:<20} {:>10} {:>10} {:>10} {:>10} {ratio:>8}  {:<7} {}{}",
            self.name,
            seconds(self.ours.cpu),
            peer.map_or("-".to_owned(), |peer| seconds(peer.cost.cpu)),
            seconds(self.ours.wall),
            peer.map_or("-".to_owned(), |peer| seconds(peer.cost.wall)),
            if self.met() { "yes" } else { "NO" },
            self.what,
            peer.map_or(String::new(), |peer| format!(", beside {} {}", peer.name, peer.version)),
        ));
    }

    fn as_json(&self) -> Value {
        let peer = self.peer.as_ref();
        let peak_mb = |cost: TimeAndMemoryCost| cost.peak_kb.map(|kb| kb as f64 / 1000.0);
        let (target, unit, peak_target) = match self.target {
            ResultTarget::Cpu(limit) => (limit.as_secs_f64(), "ours_cpu_s", None),
            ResultTarget::CpuAndPeak(limit, kb) => {
                (limit.as_secs_f64(), "ours_cpu_s", Some(kb as f64 / 1000.0))
            }
            ResultTarget::Wall(limit) => (limit.as_secs_f64(), "ours_wall_s", None),
            ResultTarget::Ratio(least) => (least, "ratio", None),
        };
        json!({
            "name": self.name,
            "what": self.what,
            "peer": peer.map(|peer| peer.name.as_str()),
            "peer_version": peer.map(|peer| peer.version.as_str()),
            "ours_cpu_s": self.ours.cpu.as_secs_f64(),
            "peer_cpu_s": peer.map(|peer| peer.cost.cpu.as_secs_f64()),
            "ours_wall_s": self.ours.wall.as_secs_f64(),
            "peer_wall_s": peer.map(|peer| peer.cost.wall.as_secs_f64()),
            "ours_peak_mb": peak_mb(self.ours),
            "peer_peak_mb": peer.and_then(|peer| peak_mb(peer.cost)),
            "ratio": self.ratio(),
            "target": target,
            "target_of": unit,
            "target_peak_mb": peak_target,
            "met": self.met(),
        })
    }
}

/// Prints the head of the table.
pub(super) fn print_result_table_head() {
    output::print_line(&format!(
        "{:<20} {:>10} {:>10} {:>10} {:>10} {:>8}  {:<7} what",
        "name", "our CPU", "peer CPU", "our wall", "peer wall", "ratio", "target"
    ));
}

/// Writes all rows as `bench/results.json` in the checkout `root`.
pub(super) fn write_bench_results_json(
    root: &Path,
    rows: &[ComparisonWithPeerTool],
) -> Result<(), ChoreFailure> {
    let folder = root.join("bench");
    fs::create_dir_all(&folder).map_err(io_failure_maker_for_path("create", &folder))?;
    let file = folder.join("results.json");
    let rows: Vec<Value> = rows.iter().map(ComparisonWithPeerTool::as_json).collect();
    let text = serde_json::to_string_pretty(&rows)
        .map_err(|error| ChoreFailure::new(format!("no JSON: {error}"), file.display().to_string()))?;
    fs::write(&file, text + "\n").map_err(io_failure_maker_for_path("write", &file))?;
    output::print_line(&format!(
        "Ratio: how many times our CPU time the peer took. The same figures are in {}.",
        file.display()
    ));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
