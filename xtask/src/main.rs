//! `cargo xtask`: the project's own chores.

mod tidy;

use std::{path::Path, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check the project's rules: walls, module heads and sizes, invariants, links
    Tidy,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    match Arguments::parse().chore {
        Chore::Tidy => tidy(root),
    }
}

#[expect(clippy::print_stderr, reason = "the findings are this program's output")]
fn tidy(root: &Path) -> ExitCode {
    let findings = tidy::run(root);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
