//! `cargo xtask e2e`: stories on whole booted hosts, with the examples and with failures.
//!
//! The checks of a story run in order and build on one another; each says in its name what must be true. Stories do
//! not build on one another: each can run alone.

mod api;
mod archetypes;
mod balancer;
mod browser;
mod documentation;
mod examples;
mod failures;
mod histories;
mod large_estate;
mod large_estate_environment;
mod pages;
mod service;
mod test_environment;
mod time_limit;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use test_environment::TestEnvironment;
use time_limit::StoryTimeLimit;

use crate::{chore_failure::ChoreFailure, output, test_host};

/// What the run needs to know.
pub(crate) struct E2eSettings<'a> {
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
static STORIES: [Story; 10] = [
    Story {
        name: "service",
        summary: "a service is installed, changed, explained and removed on a host",
        checks: service::SERVICE_STORY_CHECKS,
    },
    Story {
        name: "failures",
        summary: "killed runs, an absent control plane, forged node files and unsigned packages",
        checks: failures::FAILURE_STORY_CHECKS,
    },
    Story {
        name: "pages",
        summary: "people change servers in a real browser and see them converge",
        checks: pages::PAGE_STORY_CHECKS,
    },
    Story {
        name: "histories",
        summary: "runs killed at any instant leave no trace on a host with users, services and packages of the system",
        checks: histories::HISTORY_STORY_CHECKS,
    },
    Story {
        name: "archetypes",
        summary: "what each archetype generates runs on a host, and leaves again",
        checks: archetypes::ARCHETYPE_STORY_CHECKS,
    },
    Story {
        name: "examples",
        summary: "components around software of others, and our own two programs",
        checks: examples::EXAMPLE_STORY_CHECKS,
    },
    Story {
        name: "balancer",
        summary: "a balancer's backends follow the servers that have a role",
        checks: balancer::BALANCER_STORY_CHECKS,
    },
    Story {
        name: "documentation",
        summary: "the how-tos that need a host, typed from top to bottom",
        checks: documentation::DOCUMENTATION_STORY_CHECKS,
    },
    Story {
        name: "api",
        summary: "the API answers as its OpenAPI document says",
        checks: api::API_STORY_CHECKS,
    },
    Story {
        name: "large-estate",
        summary: "10,000 servers in one control plane, one of them a host",
        checks: large_estate::LARGE_ESTATE_STORY_CHECKS,
    },
];

/// The longest that a story may take, and that the preparation of all of them may take.
const LONGEST_STORY: Duration = Duration::from_secs(15 * 60);

/// Prints the stories, one a line.
pub(crate) fn print_stories() {
    for story in &STORIES {
        output::print_line(&format!("{:<14}{}", story.name, story.summary));
    }
}

/// One check: what must be true, and how it is seen.
type Check = (&'static str, fn(&mut TestEnvironment) -> Result<(), ChoreFailure>);

/// The story of this name, or all stories without one.
fn find_stories(name: Option<&str>) -> Result<&'static [Story], ChoreFailure> {
    let Some(name) = name else { return Ok(&STORIES) };
    if let Some(at) = STORIES.iter().position(|story| story.name == name) {
        return Ok(&STORIES[at..=at]);
    }
    let names: Vec<&str> = STORIES.iter().map(|story| story.name).collect();
    let near =
        model::suggest_spelling(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    Err(ChoreFailure::new(
        format!("there is no story `{name}`{}", near.unwrap_or_default()),
        format!("`cargo xtask e2e --list` describes them: {}", names.join(", ")),
    ))
}

/// Starts the time of a story; the program ends when it is over.
fn limit_story(name: &'static str) -> StoryTimeLimit {
    StoryTimeLimit::start_story_time_limit(name, LONGEST_STORY, |failure| {
        output::print_failure(&failure);
        std::process::exit(1);
    })
}

/// Counts checks, and prints how each ended.
#[derive(Default)]
struct CheckResults {
    passed: usize,
    failed: usize,
}

impl CheckResults {
    /// Runs one check; `None` when it failed.
    fn run_check<T>(&mut self, name: &str, check: impl FnOnce() -> Result<T, ChoreFailure>) -> Option<T> {
        let began = output::current_instant();
        let result = check();
        let time = output::format_seconds(began.elapsed());
        match result {
            Ok(value) => {
                self.passed += 1;
                output::print_line(&format!("ok {name} ({time})"));
                Some(value)
            }
            Err(failure) => {
                self.failed += 1;
                output::print_line(&format!("FAILED {name} ({time})"));
                output::print_failure(&failure);
                None
            }
        }
    }
}

/// Runs the checks of the chosen stories and counts them.
pub(crate) fn run_stories_in_shared_environment(e2e: &E2eSettings<'_>) -> Result<(), ChoreFailure> {
    let stories = find_stories(e2e.story)?;
    if let Some(reason) = test_host::reason_hosts_cannot_be_booted(e2e.work) {
        return Err(ChoreFailure::new(
            format!("whole hosts cannot be booted here: {reason}"),
            "scripts/install-tools e2e, as root",
        ));
    }
    let mut results = CheckResults::default();
    let preparing = limit_story("preparation");
    let name = "the components are packaged, published and promoted, and a host boots";
    preparing.set_current_check(name);
    let prepared = results.run_check(name, || TestEnvironment::prepare_test_environment(e2e));
    drop(preparing);
    if let Some(mut test) = prepared {
        for story in stories {
            output::print_line(&format!("story {}: {}", story.name, story.summary));
            let limit = limit_story(story.name);
            for (name, check) in story.checks {
                limit.set_current_check(name);
                results.run_check(name, || check(&mut test));
            }
        }
    }
    output::print_line(&format!("{} passed, {} failed", results.passed, results.failed));
    if results.failed == 0 {
        return Ok(());
    }
    Err(ChoreFailure::new(
        format!("{} checks failed", results.failed),
        e2e.work.join("e2e").display().to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_story_is_refused_with_the_nearest_name() {
        let failure = find_stories(Some("exampels")).map(|_| ()).unwrap_err();
        assert!(failure.what.contains("`exampels`; did you mean `examples`?"), "{failure}");
    }

    #[test]
    fn story_is_chosen_by_its_name_and_without_one_all_run() {
        let names = |name| find_stories(name).unwrap().iter().map(|story| story.name).collect::<Vec<_>>();
        assert_eq!(names(Some("failures")), ["failures"]);
        assert_eq!(names(None).len(), STORIES.len());
    }
}
