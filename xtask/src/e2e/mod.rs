//! `cargo xtask e2e`: the story on whole booted hosts, with the examples and with failures.
//!
//! Checks run in order and build on one another; each says in its name what must be true.

mod archetypes;
mod examples;
mod failures;
mod service;
mod world;

use std::path::{Path, PathBuf};

use world::World;

use crate::{host, output, run::CommandFailure};

/// What the run needs to know.
pub(crate) struct E2e<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The work folder.
    pub(crate) work: &'a Path,
    /// Where the two programs are.
    pub(crate) programs: PathBuf,
    /// Cargo's name of the profile they were built with.
    pub(crate) profile: &'a str,
    /// Only checks whose name holds this, beside those that prepare the others.
    pub(crate) only: Option<&'a str>,
}

/// One check: what must be true, and how it is seen.
type Check = (&'static str, fn(&mut World) -> Result<(), CommandFailure>);

/// Runs all checks and counts them.
pub(crate) fn run(e2e: &E2e<'_>) -> Result<(), CommandFailure> {
    if let Some(reason) = host::unavailable_reason(e2e.work) {
        return Err(CommandFailure::new(
            format!("whole hosts cannot be booted here: {reason}"),
            "scripts/install-tools e2e, as root",
        ));
    }
    let mut passed = 0;
    let mut failed = 0;
    let mut world = None;
    let mut run = |name: &str, work: &mut dyn FnMut() -> Result<(), CommandFailure>| {
        let began = output::now();
        let result = work();
        let time = output::seconds(began.elapsed());
        match &result {
            Ok(()) => {
                passed += 1;
                output::print_line(&format!("ok {name} ({time})"));
            }
            Err(trouble) => {
                failed += 1;
                output::print_line(&format!("FAILED {name} ({time})"));
                output::print_failure(trouble);
            }
        }
        result.is_ok()
    };
    let ready = run("the components are packaged, published and promoted, and a host boots", &mut || {
        world = Some(World::prepare(e2e)?);
        Ok(())
    });
    if let (true, Some(world)) = (ready, &mut world) {
        for (name, check) in
            [service::CHECKS, failures::CHECKS, archetypes::CHECKS, examples::CHECKS].concat()
        {
            if e2e.only.is_none_or(|only| name.contains(only)) {
                run(name, &mut || check(world));
            }
        }
    }
    output::print_line(&format!("{passed} passed, {failed} failed"));
    if failed == 0 {
        Ok(())
    } else {
        Err(CommandFailure::new(
            format!("{failed} checks failed"),
            e2e.work.join("e2e").display().to_string(),
        ))
    }
}
