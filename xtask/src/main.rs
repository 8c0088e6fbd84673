//! `cargo xtask`: the project's own chores.

mod bench;
mod chore_failure;
mod command_shell;
mod control_plane;
mod cpu_time;
mod demo;
#[path = "../../tests/documentation_page.rs"]
mod documentation_page;
mod e2e;
mod fuzz;
mod generated_inventory;
mod output;
mod resolve_estate;
mod scripted_developer;
#[path = "../../tests/skip.rs"]
mod skip;
mod test_host;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::chore_failure::ChoreFailure;

/// Resolution makes many small values; `geppetto` uses the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "The project's own chores")]
struct Arguments {
    /// Folder for host images and everything the chores make [default: work in the checkout]
    #[arg(long, global = true, env = "GEPPETTO_WORK", value_name = "DIR")]
    work: Option<PathBuf>,
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check the project's rules: walls, module heads and sizes, invariants, links
    Tidy,
    /// Take a web service from its archetype to a running, answering service on a booted host
    Demo {
        /// Cargo's profile the two programs were built with
        #[arg(long, default_value = "release")]
        profile: String,
        /// Stop everything at the end, even in a terminal
        #[arg(long)]
        no_wait: bool,
    },
    /// Run the stories on whole booted hosts, with the examples and with failures
    E2e {
        /// Cargo's profile the two programs were built with
        #[arg(long, default_value = "dev")]
        profile: String,
        /// Only the story of this name
        #[arg(long, value_name = "NAME")]
        story: Option<String>,
        /// List the stories instead
        #[arg(long)]
        list: bool,
    },
    /// Time our commands beside real peers and print the ratios
    Bench {
        /// Cargo's profile the two programs were built with
        #[arg(long, default_value = "release")]
        profile: String,
        /// How often each command is timed
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
        runs: u16,
        /// How many servers the larger inventory has
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
        servers: u32,
        /// Only one part
        #[arg(long, value_enum)]
        only: Option<bench::BenchPart>,
    },
    /// Feed hostile bytes to every parser that gets them
    Fuzz(fuzz::FuzzArgs),
    /// Write the inventory that resolution is measured with: FOLDER/estate and the same for reclass, FOLDER/reclass
    Inventory {
        /// An empty or missing folder
        folder: PathBuf,
        /// How many servers it has
        #[arg(long, default_value_t = 1000)]
        servers: usize,
    },
    /// Read an estate and its catalog from a folder, resolve its servers and print a digest of the result
    ResolveEstate(resolve_estate::ResolveEstateArgs),
    /// Boot a host, run a command on it (a shell when none is given), power it off
    Host {
        /// With the archive of Debian packages its apt-get can install from
        #[arg(long)]
        archive: bool,
        /// The command line
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments = Arguments::parse();
    let work = arguments.work.unwrap_or_else(|| root.join("work"));
    // Mounts and containers want absolute paths.
    let work = std::path::absolute(&work).unwrap_or(work);
    match arguments.chore {
        Chore::Tidy => tidy(root),
        Chore::Demo { profile, no_wait } => {
            let programs = programs(&profile);
            exit_code(demo::run_demo(&demo::DemoSettings {
                root,
                work: &work,
                programs,
                profile: &profile,
                no_wait,
            }))
        }
        Chore::E2e { list: true, .. } => {
            e2e::print_stories();
            ExitCode::SUCCESS
        }
        Chore::E2e { profile, story, list: false } => {
            let programs = programs(&profile);
            exit_code(e2e::run_stories_in_shared_environment(&e2e::E2eSettings {
                root,
                work: &work,
                programs,
                profile: &profile,
                story: story.as_deref(),
            }))
        }
        Chore::Bench { profile, runs, servers, only } => {
            let programs = programs(&profile);
            exit_code(bench::run_benchmarks(&bench::BenchSettings {
                root,
                work: &work,
                programs,
                profile: &profile,
                runs: runs.into(),
                servers: servers as usize,
                only,
            }))
        }
        Chore::Fuzz(arguments) => exit_code(fuzz::run_fuzz_targets(root, &work, &arguments)),
        Chore::Inventory { folder, servers } => exit_code(
            generated_inventory::GeneratedInventory::generate_inventory(servers)
                .write_as_estate_and_reclass(&folder),
        ),
        Chore::ResolveEstate(arguments) => {
            exit_code(resolve_estate::resolve_estate_and_print_digest(&arguments))
        }
        Chore::Host { archive, command } => exit_code(host_shell(&work, archive, &command)),
    }
}

/// Where cargo puts the programs of a profile: beside this one's own folder.
fn programs(profile: &str) -> PathBuf {
    let folder = if profile == "dev" { "debug" } else { profile };
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().and_then(Path::parent).unwrap_or(Path::new("target")).join(folder)
}

fn exit_code(result: Result<(), ChoreFailure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            output::print_failure(&trouble);
            ExitCode::FAILURE
        }
    }
}

fn tidy(root: &Path) -> ExitCode {
    let findings = tidy::find_rule_violations(root);
    for finding in &findings {
        output::print_note(finding);
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Boots a host to look around in.
fn host_shell(work: &Path, archive: bool, command: &[String]) -> Result<(), ChoreFailure> {
    if let Some(reason) = test_host::reason_hosts_cannot_be_booted(work) {
        return Err(ChoreFailure::new(format!("cannot boot a host: {reason}"), "scripts/install-tools e2e"));
    }
    let mut hosts = test_host::TestHostLauncher::create_network_and_remove_leftovers(work)?;
    let image = test_host::HostImage::build_or_reuse_debian_image(work)?;
    let image = if archive { image.with_local_debian_package_archive(work)? } else { image };
    let host = hosts.boot_host_and_wait(&image, "visitor")?;
    output::print_note(&format!("{} runs at {}", host.host_name(), host.ip_address()));
    let typed = if command.is_empty() { "exec sh -i".to_owned() } else { command.join(" ") };
    let status = host
        .root_command_shell()
        .command_for_shell_line(&typed)
        .stdin(std::process::Stdio::inherit())
        .status()
        .map_err(|error| ChoreFailure::new(format!("cannot enter the host: {error}"), "nsenter"))?;
    if status.success() { Ok(()) } else { Err(ChoreFailure::new(format!("it ended with {status}"), typed)) }
}
