//! Applying a plan: dully, in its order, writing down each step before and after it.
//!
//! What a step is about to make is noted before it is made, so that a killed run leaves nothing behind
//! that nobody knows of. The next run looks again and completes what is missing.

mod journal;

use std::{collections::BTreeSet, path::PathBuf};

use model::{
    node::Node,
    plan::{Action, Change, Plan},
    report::{Entry, EntryResult, Outcome, Report},
};

use self::journal::Journal;
use crate::{Host, Packages, Pin, State, StateError, health, look::Look};

/// How far a run is.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins, with this many steps.
    Started {
        /// Changes and health checks.
        steps: usize,
    },
    /// A step begins.
    Step {
        /// Counted from 1.
        number: usize,
        /// What it does.
        title: &'a str,
    },
    /// A step ended.
    Finished {
        /// How.
        entry: &'a Entry,
    },
}

/// Applies `plan`, which was made from `look`, and reports. The report is in the history of `state` too.
///
/// An error means that `state` could not be written; what was done until then is in the report on disk
/// as far as that could be written.
#[expect(
    clippy::too_many_arguments,
    reason = "the three ports, the plan with its two sources, and where to tell"
)]
pub fn apply(
    node: &Node,
    look: &Look,
    plan: &Plan,
    host: &mut dyn Host,
    packages: &mut dyn Packages,
    state: &State,
    progress: &mut dyn FnMut(Event<'_>),
    clock: &dyn Fn() -> i64,
) -> Result<Report, StateError> {
    let mut journal = Journal::start(node, look, plan, state, clock)?;
    progress(Event::Started { steps: plan.changes.len() + plan.health.len() });
    if !plan.blocked.is_empty() {
        for blocked in &plan.blocked {
            journal.note(entry(&blocked.what, "", EntryResult::Blocked, blocked.because.clone()));
        }
        return journal.finish(Outcome::Blocked);
    }
    // A package that cannot be had must be known before anything is touched.
    let files = match fetch(look, plan, packages) {
        Ok(files) => files,
        Err(because) => {
            let failed = entry("fetch packages", "", EntryResult::Failed, because);
            progress(Event::Finished { entry: &failed });
            journal.note(failed);
            skip(plan, 0, 0, &mut journal, progress);
            return journal.finish(Outcome::Failed);
        }
    };
    for (at, (change, files)) in plan.changes.iter().zip(&files).enumerate() {
        let title = change.title();
        progress(Event::Step { number: at + 1, title: &title });
        journal.before(change)?;
        let started = clock();
        let result = host.apply(change, files);
        let (result, detail) = match result {
            Ok(detail) => (EntryResult::Done, detail.unwrap_or_else(|| change.summary())),
            Err(error) => (EntryResult::Failed, error.to_string()),
        };
        let mut entry = entry(&title, &change.component, result, detail);
        entry.duration_us = clock().saturating_sub(started).max(0);
        progress(Event::Finished { entry: &entry });
        journal.after(change, entry)?;
        if result == EntryResult::Failed {
            skip(plan, at + 1, 0, &mut journal, progress);
            return journal.finish(Outcome::Failed);
        }
    }
    for (at, (component, check)) in plan.health.iter().enumerate() {
        let title = format!("check {check}");
        progress(Event::Step { number: plan.changes.len() + at + 1, title: &title });
        let started = clock();
        let answer = health::check(host, check, clock);
        let duration_us = clock().saturating_sub(started).max(0);
        let (result, detail) = match answer {
            Ok(()) => (EntryResult::Done, String::new()),
            Err(said) if check.secret => (
                EntryResult::Failed,
                format!(
                    "not within {} s; what it said is not shown, a secret is in it ({} characters)",
                    check.within,
                    said.len()
                ),
            ),
            Err(said) => (EntryResult::Failed, format!("not within {} s: {said}", check.within)),
        };
        let entry = Entry { duration_us, ..entry(&title, component.as_str(), result, detail) };
        progress(Event::Finished { entry: &entry });
        journal.note(entry);
        if result == EntryResult::Failed {
            skip(plan, plan.changes.len(), at + 1, &mut journal, progress);
            return journal.finish(Outcome::Failed);
        }
    }
    journal.settle()?;
    journal.finish(if plan.changes.is_empty() { Outcome::Unchanged } else { Outcome::Changed })
}

/// The package files each change installs.
fn fetch(look: &Look, plan: &Plan, packages: &mut dyn Packages) -> Result<Vec<Vec<PathBuf>>, String> {
    let mut files = Vec::with_capacity(plan.changes.len());
    for change in &plan.changes {
        let Action::InstallPackages(versions) = &change.action else {
            files.push(Vec::new());
            continue;
        };
        let fetched = versions.iter().map(|(name, version)| {
            let bare =
                Pin { name: name.clone(), version: version.clone(), file: None, sha256: None, size: None };
            packages.fetch(look.pins.get(name).unwrap_or(&bare)).map_err(|error| error.message)
        });
        files.push(fetched.collect::<Result<_, _>>()?);
    }
    Ok(files)
}

/// Notes what is not tried any more because something before it failed.
fn skip(
    plan: &Plan,
    changes: usize,
    checks: usize,
    journal: &mut Journal<'_>,
    progress: &mut dyn FnMut(Event<'_>),
) {
    let changes = plan.changes.iter().skip(changes).map(|change| (change.title(), change.component.clone()));
    let checks = plan
        .health
        .iter()
        .skip(checks)
        .map(|(component, check)| (format!("check {check}"), component.to_string()));
    for (title, component) in changes.chain(checks) {
        let entry = entry(&title, &component, EntryResult::Skipped, String::new());
        progress(Event::Finished { entry: &entry });
        journal.note(entry);
    }
}

fn entry(action: &str, component: &str, result: EntryResult, detail: String) -> Entry {
    Entry { action: action.to_owned(), component: component.to_owned(), result, detail, duration_us: 0 }
}

/// Names of all components of a change: a package transaction may be for several.
fn components(change: &Change) -> BTreeSet<&str> {
    change.component.split(", ").collect()
}
