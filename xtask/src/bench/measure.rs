//! What a command costs: wall and CPU seconds of all its processes.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use crate::{
    chore_failure::ChoreFailure, command_shell::CommandShell, control_plane::ControlPlaneProcess, output,
};

/// No command is repeated beyond this.
const LONGEST: Duration = Duration::from_secs(20);

/// What a command costs: the medians of its runs.
#[derive(Clone, Copy)]
pub(super) struct TimeAndMemoryCost {
    /// From start to end.
    pub(super) wall: Duration,
    /// Of all processes the command started, and of the control plane it asked.
    pub(super) cpu: Duration,
    /// The most memory it held, when it prints that.
    pub(super) peak_kb: Option<u64>,
}

impl TimeAndMemoryCost {
    /// The cost of doing the same work so many times.
    pub(super) fn multiply_time_by_repetitions(self, count: u32) -> TimeAndMemoryCost {
        TimeAndMemoryCost { wall: self.wall * count, cpu: self.cpu * count, ..self }
    }
}

/// A command line to be timed.
pub(super) struct CommandToTime<'a> {
    /// Typed before every run, untimed; nothing when empty.
    pub(super) before: &'a str,
    /// The command line.
    pub(super) typed: &'a str,
    /// The control plane that works for it, whose CPU time counts too.
    pub(super) control_plane: Option<&'a ControlPlaneProcess>,
}

impl CommandToTime<'_> {
    /// Runs it once to warm up and then `runs` times, or until 20 s are over. A command whose first run takes
    /// longer than that is not repeated: that run counts.
    pub(super) fn measure_median_cost(
        &self,
        terminal: &CommandShell,
        runs: usize,
    ) -> Result<TimeAndMemoryCost, ChoreFailure> {
        let warm_up = self.run_once_and_measure(terminal)?;
        if warm_up.wall > LONGEST {
            return Ok(warm_up);
        }
        let mut costs: Vec<TimeAndMemoryCost> = Vec::with_capacity(runs);
        while costs.len() < runs.max(1) && costs.iter().map(|cost| cost.wall).sum::<Duration>() < LONGEST {
            costs.push(self.run_once_and_measure(terminal)?);
        }
        Ok(medians_of_cost_figures(&costs))
    }

    /// Runs it once.
    pub(super) fn run_once_and_measure(
        &self,
        terminal: &CommandShell,
    ) -> Result<TimeAndMemoryCost, ChoreFailure> {
        if !self.before.is_empty() {
            terminal.run_line_expecting_success(self.before)?;
        }
        let server_before = self.control_plane.map(ControlPlaneProcess::read_cpu_time).transpose()?;
        let children_before = children_cpu_time()?;
        let began = output::current_instant();
        let answer = terminal.run_line_expecting_success(self.typed)?;
        let wall = began.elapsed();
        let children = children_cpu_time()?.saturating_sub(children_before);
        let server = match (self.control_plane, server_before) {
            (Some(control_plane), Some(before)) => control_plane.read_cpu_time()?.elapsed_since(before),
            _ => Duration::ZERO,
        };
        Ok(TimeAndMemoryCost { wall, cpu: children + server, peak_kb: peak_kb(&answer.out) })
    }
}

/// The medians, each of its own figure.
pub(super) fn medians_of_cost_figures(costs: &[TimeAndMemoryCost]) -> TimeAndMemoryCost {
    fn median<T: Ord + Copy + Default>(figures: impl Iterator<Item = T>) -> T {
        let mut figures: Vec<T> = figures.collect();
        figures.sort();
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    }
    TimeAndMemoryCost {
        wall: median(costs.iter().map(|cost| cost.wall)),
        cpu: median(costs.iter().map(|cost| cost.cpu)),
        peak_kb: median(costs.iter().map(|cost| cost.peak_kb)),
    }
}

/// The CPU time of all processes that this one started, or those started in turn, and that have ended.
fn children_cpu_time() -> Result<Duration, ChoreFailure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|error| ChoreFailure::new(format!("no CPU times: {error}"), "man getrusage"))?;
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(time.tv_sec().unsigned_abs())
            + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}

/// The figure of the line `peak memory: N kB`, which the commands that resolve whole inventories print.
fn peak_kb(printed: &str) -> Option<u64> {
    let line = printed.lines().find_map(|line| line.strip_prefix("peak memory: "))?;
    line.strip_suffix(" kB")?.parse().ok()
}
