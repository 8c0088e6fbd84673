//! `cargo xtask bench`: our commands beside a real peer doing the same work, and the ratio of their times.
//!
//! Each command runs once to warm up and then a number of times; the medians are compared. A peer that is not
//! installed is named as such: no number is made up for it.

mod cases;
mod sizes;

use std::{path::Path, path::PathBuf, time::Duration};

use crate::{command_failure::CommandFailure, developer::Developer, output, run::Terminal};

/// What the run needs to know.
pub(crate) struct Bench<'a> {
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
}

/// One comparison.
struct Case {
    /// What both do.
    what: String,
    /// Ours, as typed.
    ours: String,
    /// The peer's name, and its command as typed.
    peer: (&'static str, String),
    /// What must be true for the peer to be there (a command line).
    peer_needs: &'static str,
    /// Typed before every run, untimed.
    before: String,
}

/// Times everything and prints the table.
pub(crate) fn run(bench: &Bench<'_>) -> Result<(), CommandFailure> {
    let developer = Developer::create(bench.root, bench.work, "bench", &bench.programs, bench.profile)?;
    let terminal = &developer.terminal;
    let prepared = cases::prepare(&developer)?;
    output::print_line(&format!("{:<52} {:>10} {:>10} {:>8}  peer", "what", "ours", "peer", "ratio"));
    let mut start = Duration::ZERO;
    for case in &prepared.cases {
        let ours = median(terminal, case, &case.ours, bench.runs)?;
        if case.what == cases::START_UP {
            start = ours;
        }
        let (name, typed) = &case.peer;
        if terminal.run_any_exit(case.peer_needs)?.code != 0 {
            output::print_line(&format!(
                "{:<52} {:>10} {:>10} {:>8}  {name} is not installed",
                case.what,
                ms(ours),
                "-",
                "-"
            ));
            continue;
        }
        let theirs = median(terminal, case, typed, bench.runs)?;
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64().max(f64::EPSILON);
        output::print_line(&format!(
            "{:<52} {:>10} {:>10} {ratio:>7.1}x  {name}",
            case.what,
            ms(ours),
            ms(theirs)
        ));
    }
    output::print_line(&format!(
        "Medians of {} runs after one to warm up; ratio: how many times longer the peer took.",
        bench.runs
    ));
    sizes::check(&bench.programs, bench.profile == "release", start, &prepared.control_plane)
}

fn median(terminal: &Terminal, case: &Case, typed: &str, runs: usize) -> Result<Duration, CommandFailure> {
    let mut times = Vec::with_capacity(runs);
    for run in 0..=runs {
        if !case.before.is_empty() {
            terminal.run(&case.before)?;
        }
        let began = output::now();
        terminal.run(typed)?;
        if run > 0 {
            times.push(began.elapsed());
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
