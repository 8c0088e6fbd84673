//! `cargo xtask fuzz`: hostile bytes for every parser that gets them, chosen by libFuzzer.
//!
//! The targets are in `fuzz/fuzz_targets`, small examples for each in `fuzz/seeds`; what libFuzzer adds to them stays in
//! the work folder and is the start of the next run. Everything is built with counters of the branches taken, as
//! `cargo fuzz` does: <https://llvm.org/docs/LibFuzzer.html>.

use std::{fs, path::Path, process::Command};

use clap::Args;

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    output, skip,
};

/// What makes LLVM count branches and comparisons for libFuzzer.
const COVERAGE_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Longest input, in bytes.
const LONGEST_INPUT: u32 = 16 * 1024;

/// How long one input may take, in seconds, and how much memory all together, in MiB.
const TIME_AND_MEMORY_LIMIT: (u32, u32) = (10, 2048);

#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// Only this target
    target: Option<String>,
    /// How long each target is fed
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Builds all targets and feeds each for its time; an error for the first input that makes one fail.
pub(crate) fn run_fuzz_targets(root: &Path, work: &Path, arguments: &FuzzArgs) -> Result<(), ChoreFailure> {
    let names = find_target_names(root)?;
    let chosen: Vec<&String> = match &arguments.target {
        None => names.iter().collect(),
        Some(wanted) => vec![names.iter().find(|name| *name == wanted).ok_or_else(|| {
            ChoreFailure::new(format!("there is no fuzz target `{wanted}`"), names.join(", "))
        })?],
    };
    // libFuzzer is C++.
    if !skip::has_tool("c++") {
        return Ok(());
    }
    let host = host_triple()?;
    let built = work.join("fuzz/target");
    build(root, &built, &host)?;
    for name in chosen {
        feed(root, work, &built.join(&host).join("release").join(name), name, arguments.seconds)?;
    }
    Ok(())
}

fn find_target_names(root: &Path) -> Result<Vec<String>, ChoreFailure> {
    let folder = root.join("fuzz/fuzz_targets");
    let failed = io_failure_maker_for_path("read", &folder);
    let files = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let mut names: Vec<String> =
        files.iter().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// What this machine builds for. It is named when building, so that build scripts are not built with counters.
fn host_triple() -> Result<String, ChoreFailure> {
    let failed = || ChoreFailure::new("rustc does not say what it builds for".to_owned(), "rustc -vV");
    let said = Command::new("rustc").arg("-vV").output().map_err(|_| failed())?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).ok_or_else(failed)
}

fn build(root: &Path, built: &Path, host: &str) -> Result<(), ChoreFailure> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "--quiet", "--target", host, "--manifest-path"])
        .arg(root.join("fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(built)
        .env("RUSTFLAGS", COVERAGE_FLAGS);
    let status =
        cargo.status().map_err(|error| ChoreFailure::new(format!("cannot run cargo: {error}"), "cargo"))?;
    match status.success() {
        true => Ok(()),
        false => Err(ChoreFailure::new("the fuzz targets cannot be built".to_owned(), "the output above")),
    }
}

/// Feeds one target.
fn feed(root: &Path, work: &Path, program: &Path, name: &str, seconds: u32) -> Result<(), ChoreFailure> {
    let found = work.join("fuzz/inputs").join(name);
    let failures = work.join("fuzz/failures");
    for folder in [&found, &failures] {
        fs::create_dir_all(folder).map_err(io_failure_maker_for_path("make", folder))?;
    }
    let (time, memory) = TIME_AND_MEMORY_LIMIT;
    let mut command = Command::new(program);
    command.arg(&found).arg(root.join("fuzz/seeds").join(name)).args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={LONGEST_INPUT}"),
        format!("-timeout={time}"),
        format!("-rss_limit_mb={memory}"),
        format!("-artifact_prefix={}/{name}-", failures.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let ended = command.output().map_err(|error| {
        ChoreFailure::new(format!("cannot run {}: {error}", program.display()), "cargo xtask fuzz")
    })?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        let lines: Vec<&str> = said.lines().collect();
        return Err(ChoreFailure {
            what: format!("the fuzz target {name} failed"),
            command: Some(format!("{command:?}")),
            output: lines[lines.len().saturating_sub(40)..].join("\n"),
            look: format!("{} with the file named above", program.display()),
        });
    }
    let figure = |key: &str| {
        let line = said.lines().find(|line| line.starts_with(key))?;
        line.rsplit(' ').next().map(str::to_owned)
    };
    let runs = figure("stat::number_of_executed_units").unwrap_or_default();
    output::print_line(&format!("ok {name}: {runs} inputs"));
    Ok(())
}
