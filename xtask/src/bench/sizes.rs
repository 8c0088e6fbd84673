//! What we promise about our own weight: the programs' sizes, how fast one starts, what the control plane takes.

use std::{fs, path::Path, time::Duration};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    output,
};

/// The largest a release binary may be.
const BINARY_BYTES: u64 = 25_000_000;
/// The longest `punch --version` may take.
const START: Duration = Duration::from_millis(10);
/// The most memory an idle control plane may hold.
const IDLE_BYTES: u64 = 60_000_000;

/// Prints each figure beside its limit; one over it is an error. Binaries count only when they are
/// `released`: those of a build for debugging are large by design.
pub(super) fn check_sizes_memory_and_start_up(
    programs: &Path,
    released: bool,
    start: Duration,
    control_plane: &ControlPlaneProcess,
) -> Result<(), ChoreFailure> {
    let mut over = Vec::new();
    let mut found = |what: &str, is: f64, limit: f64, unit: &str| {
        output::print_line(&format!("{what:<52} {is:>7.1} {unit} {limit:>7.0} {unit}"));
        if is > limit {
            over.push(what.to_owned());
        }
    };
    output::print_line(&format!("\n{:<52} {:>10} {:>10}", "our own weight", "is", "limit"));
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    for program in ["geppetto", "punch"].iter().filter(|_| released) {
        let path = programs.join(program);
        let size = fs::metadata(&path).map_err(io_failure_maker_for_path("read", &path))?.len();
        found(&format!("the program {program}"), megabytes(size), megabytes(BINARY_BYTES), "MB");
    }
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    found("punch --version, with the shell that starts it", ms(start), ms(START), "ms");
    found(
        "geppetto serve, resident after all of the above",
        megabytes(control_plane.resident_memory_bytes()?),
        megabytes(IDLE_BYTES),
        "MB",
    );
    match over.is_empty() {
        true => Ok(()),
        false => Err(ChoreFailure::new(format!("over the limit: {}", over.join(", ")), "the figures above")),
    }
}
