//! Skips a test where a tool or a right is missing, and prints that it does. With `GEPPETTO_NO_SKIP=1`, as in CI, that
//! is a failure. Every test of every crate that can be skipped uses this file.

/// Prints that the test that runs is skipped, and why; fails with `GEPPETTO_NO_SKIP=1`.
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn skip(why: &str) {
    println!("skipped: {why}");
    let forbidden = std::env::var_os("GEPPETTO_NO_SKIP").is_some_and(|value| value == "1");
    assert!(!forbidden, "{why}, and GEPPETTO_NO_SKIP=1 forbids skipping");
}

/// Whether a program is installed; where it is not, the test that asks is skipped.
#[allow(dead_code, reason = "not every crate that skips tests asks for programs")]
pub(crate) fn has_tool(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}
