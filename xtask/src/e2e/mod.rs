//! `cargo xtask e2e`: stories on whole booted hosts, with the examples and with failures.
//!
//! The checks of a story run in order and build on one another; each says in its name what must be true. Stories do
//! not build on one another: each can run alone.

mod archetypes;
mod examples;
mod failures;
mod service;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use world::World;

use crate::{command_failure::CommandFailure, host, output};

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
    /// Only the story of this name.
    pub(crate) story: Option<&'a str>,
}

/// Checks that belong together.
struct Story {
    name: &'static str,
    /// What it shows, in one sentence.
    summary: &'static str,
    checks: &'static [Check],
}

/// All stories, in the order they run.
const STORIES: [Story; 4] = [
    Story {
        name: "service",
        summary: "a service is installed, changed, explained and removed on a host",
        checks: service::CHECKS,
    },
    Story {
        name: "failures",
        summary: "killed runs, an absent control plane, forged node files and unsigned packages",
        checks: failures::CHECKS,
    },
    Story {
        name: "archetypes",
        summary: "what each archetype generates runs on a host, and leaves again",
        checks: archetypes::CHECKS,
    },
    Story {
        name: "examples",
        summary: "components around software of others, and our own two programs",
        checks: examples::CHECKS,
    },
];

/// The longest a story may take, its preparation included.
const LONGEST_STORY: Duration = Duration::from_secs(15 * 60);

/// Prints the stories, one a line.
pub(crate) fn list() {
    for story in STORIES {
        output::print_line(&format!("{:<12}{}", story.name, story.summary));
    }
}

/// Ends the program when a story takes too long: a check that hangs would hang for ever.
fn limit_story(name: &'static str) -> mpsc::Sender<()> {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        if ended.recv_timeout(LONGEST_STORY) == Err(mpsc::RecvTimeoutError::Timeout) {
            output::print_failure(&CommandFailure::new(
                format!("the story {name} took longer than {} minutes", LONGEST_STORY.as_secs() / 60),
                "the check that was running last, above",
            ));
            std::process::exit(1);
        }
    });
    done
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
    let chosen: Vec<&Story> =
        STORIES.iter().filter(|story| e2e.story.is_none_or(|name| story.name == name)).collect();
    if let (Some(name), true) = (e2e.story, chosen.is_empty()) {
        let names = STORIES.map(|story| story.name);
        let meant = model::nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
        return Err(CommandFailure::new(
            format!("there is no story `{name}`{}", meant.unwrap_or_default()),
            format!("`cargo xtask e2e --list` names them: {}", names.join(", ")),
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
    let preparing = limit_story("that prepares the others");
    let ready = run("the components are packaged, published and promoted, and a host boots", &mut || {
        world = Some(World::prepare(e2e)?);
        Ok(())
    });
    drop(preparing);
    if let (true, Some(world)) = (ready, &mut world) {
        for story in chosen {
            output::print_line(&format!("story {}: {}", story.name, story.summary));
            let _running = limit_story(story.name);
            for (name, check) in story.checks {
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
