//! The path every deployment takes, wherever its node file comes from: look, plan, apply, report.
//!
//! `punch restore` and `punch apply` both end here and differ in nothing after it.

use std::{collections::BTreeSet, path::Path};

use converge::{
    ApplyProgressEvent, CannotApplyCause, CannotApplyNodeError, DesiredAndObservedHost,
    FetchedPackagesByChange, PunchStateFolder, RealHost, RepairOccasion, RunLock, RunPurpose,
    SecretMaskingHost,
};
use model::{
    exit::Exit,
    name::ServerName,
    node::Node,
    plan::{BlockedSubject, Plan, PlanView, plan_host_changes, plan_to_view},
    report::{RepairOfInterruptedWork, Report, ReportEntry, ReportEntryResult, RunOutcome},
};
use serde::Serialize;

use crate::{
    agent_state::{AgentStateFiles, HostHold, LastGoodNode},
    command_context::CommandContext,
    command_error::CommandError,
    health_client,
    host_files::HostFileAccess,
    package_source::{PackageSource, VerifiedFileCache},
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions,
    report_text,
    terminal_output::ChangeLayout,
    time_text,
    trusted_node::TrustedNode,
};

/// What a run found and what it would do.
struct ObservedHostAndPlan {
    machine: SecretMaskingHost<RealHost>,
    look: DesiredAndObservedHost,
    /// What is done, in order.
    plan: Plan,
}

/// What a run did.
#[derive(Serialize)]
pub(crate) struct DeploymentResult {
    /// The node file that was followed.
    pub(crate) node_file: String,
    /// What was planned.
    pub(crate) plan: PlanView,
    /// What was done.
    pub(crate) report: Report,
    /// Whether the back-office has the report; absent without a back-office.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reported: Option<bool>,
    /// The report of the run before, when that was killed.
    #[serde(skip)]
    pub(crate) interrupted: Option<Report>,
    /// The report of the run that failed, when the host was rolled back after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<Report>,
    /// Why nothing was touched.
    #[serde(skip)]
    pub(crate) stopped: Option<CommandError>,
    /// What was planned, with its types.
    #[serde(skip)]
    pub(crate) planned: Plan,
}

impl DeploymentResult {
    /// What was planned.
    pub(crate) fn planned(&self) -> &Plan {
        &self.planned
    }

    /// This rollback as the end of the run that `failed` before it.
    pub(crate) fn after_failed_run(self, failed: Self) -> Self {
        Self { failed: Some(failed.report), interrupted: failed.interrupted, stopped: None, ..self }
    }

    /// All reports, in the order of their runs.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.interrupted.iter().chain(&self.failed).chain([&self.report])
    }

    /// Prints what programs want to know; how the program ends.
    pub(crate) fn print_requested_json_and_get_exit(
        self,
        context: &CommandContext,
    ) -> Result<Exit, CommandError> {
        context.output.print_json_if_requested(&self);
        match self.stopped {
            Some(failure) => Err(failure),
            // The run failed, and so did going back.
            None if self.failed.is_some() && self.report.outcome != RunOutcome::RolledBack => {
                Ok(Exit::Failed)
            }
            None => Ok(exit_code(&self.report)),
        }
    }
}

/// Looks at the host and plans, where `last` was the last good node file. Changes nothing but the cache of packages.
fn fetch_and_plan_deployment(
    root: &HostFileAccess,
    trusted_node: &TrustedNode,
    last: Option<&LastGoodNode>,
    source: &mut PackageSource,
    options: &RemovalLimitAndDeadlineOptions,
    began: time_text::UnixMicros,
) -> Result<ObservedHostAndPlan, CommandError> {
    let nodes = [Some(&trusted_node.node), last.map(|last| &last.node)];
    let machine =
        SecretMaskingHost::new(open_machine(root.host_root().root_path())?, nodes.into_iter().flatten());
    let state = PunchStateFolder::state_folder_of_root(root.host_root().clone());
    let look = converge::fetch_deployments_and_observe_host(
        &trusted_node.node,
        &machine,
        &state,
        source,
        options.verification(),
        began,
    );
    let look = look.map_err(|problems| inspection_errors(&problems, trusted_node))?;
    let mut plan = plan_host_changes(&look.wanted, &look.observed, &options.plan_limits());
    for item in &mut plan.blocked {
        if let BlockedSubject::Resource(id) = &item.what {
            let path = id.occupied_path();
            item.because = root.host_root().with_path_on_this_machine(&item.because, path.as_deref());
        }
    }
    Ok(ObservedHostAndPlan { machine, look, plan })
}

/// Fetches the packages that the plan installs, and compares what they bring with what is on the host: conflicts
/// are added to the plan. Changes nothing but the cache of packages.
fn fetch_packages_and_find_conflicts(
    prepared: &mut ObservedHostAndPlan,
    trusted_node: &TrustedNode,
    state: &PunchStateFolder,
    source: &mut PackageSource,
) -> Result<FetchedPackagesByChange, CommandError> {
    let ObservedHostAndPlan { machine, look, plan } = prepared;
    let fetched = converge::fetch_packages_of_plan(look, plan, source).and_then(|mut fetched| {
        converge::block_plan_on_path_conflicts(look, plan, &mut fetched, machine, state)?;
        Ok(fetched)
    });
    fetched.map_err(|problem| inspection_errors(&[problem], trusted_node))
}

/// The plan of what [`run_deployment`] would do, and why it could not do it, when packages cannot be had.
pub(crate) fn plan_deployment_and_fetch_packages(
    root: &HostFileAccess,
    trusted_node: &TrustedNode,
    last: Option<&LastGoodNode>,
    source: &mut PackageSource,
    options: &RemovalLimitAndDeadlineOptions,
    began: time_text::UnixMicros,
) -> Result<(Plan, Option<CommandError>), CommandError> {
    let mut prepared = fetch_and_plan_deployment(root, trusted_node, last, source, options, began)?;
    let state = PunchStateFolder::state_folder_of_root(root.host_root().clone());
    let fetched = fetch_packages_and_find_conflicts(&mut prepared, trusted_node, &state, source);
    Ok((prepared.plan, fetched.err()))
}

/// The host under `path`. A folder that is not there yet is looked at as if it were there and empty.
fn open_machine(path: &Path) -> Result<RealHost, CommandError> {
    let open = |path: &Path| {
        RealHost::new(path, health_client::http_get_for_health_check)
            .map_err(|error| CommandError::blocked_error(error.to_string()))
    };
    if path.exists() {
        return open(path);
    }
    let empty = tempfile::tempdir()
        .map_err(|error| CommandError::cannot_write_file_error(&std::env::temp_dir(), &error))?;
    open(empty.path())
}

/// Who works on a host, and with what.
#[derive(Clone, Copy)]
pub(crate) struct CommandContextHostRootAndLock<'a> {
    /// The options of the command.
    pub(crate) context: &'a CommandContext,
    /// The host's files.
    pub(crate) root: &'a HostFileAccess,
    /// Held while the run lasts.
    pub(crate) lock: &'a RunLock,
}

/// Makes the host what the node file says, where `last` was the last good one.
pub(crate) fn run_deployment(
    host: CommandContextHostRootAndLock<'_>,
    trusted_node: &TrustedNode,
    last: Option<&LastGoodNode>,
    source: &mut PackageSource,
    options: &RemovalLimitAndDeadlineOptions,
    purpose: RunPurpose,
) -> Result<DeploymentResult, CommandError> {
    let CommandContextHostRootAndLock { context, root, lock } = host;
    context.interruption.set_interruption_message("nothing was changed on this host");
    let state = PunchStateFolder::state_folder_of_root(root.host_root().clone());
    let ours = AgentStateFiles::new(root);
    let begun = ours.read_highest_begun_generation()?;
    let started = (context.now)();
    // A report that cannot be read any more is not worth stopping for: this run writes a new one.
    let interrupted = state.read_interrupted_report().unwrap_or_default();
    if let Some(killed) = &interrupted {
        context.output.print_note_to_stderr(format!(
            "the run of {} was interrupted; this one completes what it began",
            time_text::format_utc(killed.started_us)
        ));
    }
    // Stopped before anything was touched: that, too, must be known.
    let untouched = |action: &str,
                     failure: CommandError,
                     plan: PlanView,
                     interrupted: Option<Report>,
                     repairs: Vec<RepairOfInterruptedWork>| {
        let node = &trusted_node.node;
        let now = (context.now)();
        let report = blocked_report(&node.server, node.generation, action, &failure, (started, now));
        let report = Report { repairs, ..report };
        let filed = state
            .save_interrupted_run_and_remove_journal()
            .and_then(|()| state.save_report_to_history(&report));
        filed.map_err(|error| CommandError::failed_halfway_error(error.to_string()))?;
        let node_file = trusted_node.file.clone();
        Ok(DeploymentResult {
            node_file,
            plan,
            report,
            reported: None,
            interrupted,
            failed: None,
            stopped: Some(failure),
            planned: Plan::default(),
        })
    };
    let mut repairs = Vec::new();
    let prepared = repair_fetch_and_plan(
        (root, lock, &state),
        &mut || fetch_and_plan_deployment(root, trusted_node, last, source, options, started),
        &mut repairs,
    );
    for repair in &repairs {
        context.output.print_note_to_stderr(format!("repaired: {}", repair.what));
    }
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            return untouched("look", failure, plan_to_view(&Plan::default()), interrupted, repairs);
        }
    };
    prepared.look.repairs.clone_from(&repairs);
    prepared.look.purpose = purpose;
    prepared.machine.inner_host_mut().make_programs_hold_lock(lock);
    let fetched = fetch_packages_and_find_conflicts(&mut prepared, trusted_node, &state, source);
    context.output.print_changes_unless_json(prepared.plan.to_string(), ChangeLayout::Plan);
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(problem) => {
            return untouched("fetch packages", problem, plan_to_view(&prepared.plan), interrupted, repairs);
        }
    };
    context.interruption.set_interruption_message(
        "the run stopped in the middle; the next run completes what this one began, and `punch history` shows it",
    );
    // From here on an older one is refused, also when this run fails half-way.
    let is_deployment = prepared.look.purpose == RunPurpose::Deploy;
    if is_deployment && !trusted_node.signatures_skipped && !prepared.plan.blocks_run() {
        ours.record_highest_begun_generation(&trusted_node.node, begun.as_ref())?;
    }
    context.interruption.touch_file_if_interrupted(state.shown_run_journal_path());
    let mut steps = 0;
    let mut number = 0;
    let report = converge::apply_plan(
        &trusted_node.node,
        &prepared.look,
        &prepared.plan,
        &fetched,
        &mut prepared.machine,
        &state,
        &mut |event| match event {
            ApplyProgressEvent::Started { steps: all } => steps = all,
            ApplyProgressEvent::Step { number: n, title } => {
                number = n;
                context.output.print_note_to_stderr(format!("[{n}/{steps}] {title}"));
            }
            ApplyProgressEvent::Note { text } => {
                context.output.print_note_to_stderr(format!("[{number}/{steps}] {text}"));
            }
            ApplyProgressEvent::Finished { entry } if entry.result == ReportEntryResult::Failed => {
                context.output.print_note_to_stderr(format!("[{number}/{steps}] FAILED: {}", entry.detail));
            }
            ApplyProgressEvent::Finished { .. } => (),
        },
        &|| (context.now)(),
    )
    .map_err(|error| CommandError::failed_halfway_error(error.to_string()))?;
    remember_last_good(context, root, trusted_node, last, source, &report)?;
    context.interruption.set_interruption_message(format!(
        "the run had ended already: {}",
        report_text::run_outcome_name(report.outcome)
    ));
    context.output.print_note_to_stderr(summary(&report));
    Ok(DeploymentResult {
        node_file: trusted_node.file.clone(),
        plan: plan_to_view(&prepared.plan),
        report,
        reported: None,
        interrupted,
        failed: None,
        stopped: None,
        planned: prepared.plan,
    })
}

/// Looks and plans with `plan`, after what killed programs left half done was made whole: that is added to `repairs`.
fn repair_fetch_and_plan(
    (root, lock, state): (&HostFileAccess, &RunLock, &PunchStateFolder),
    plan: &mut dyn FnMut() -> Result<ObservedHostAndPlan, CommandError>,
    repairs: &mut Vec<RepairOfInterruptedWork>,
) -> Result<ObservedHostAndPlan, CommandError> {
    let mut repair = |occasion| {
        let mut machine = open_machine(root.host_root().root_path())?;
        machine.make_programs_hold_lock(lock);
        let done = converge::repair_interrupted_work(&mut machine, state, occasion)
            .map_err(|error| CommandError::blocked_error(error.to_string()))?;
        let any = !done.is_empty();
        repairs.extend(done);
        Ok::<bool, CommandError>(any)
    };
    repair(RepairOccasion::RunBegins)?;
    let planned = plan()?;
    let unreadable = planned.plan.blocked.iter().any(|item| matches!(item.what, BlockedSubject::Package(_)));
    if unreadable && repair(RepairOccasion::PackagesUnreadable)? { plan() } else { Ok(planned) }
}

/// Files the report of a run that may not follow the node file it was given, and returns it.
pub(crate) fn save_refused_node_report_to_history(
    context: &CommandContext,
    root: &HostFileAccess,
    server: &ServerName,
    last: Option<&LastGoodNode>,
    failure: &CommandError,
) -> Result<Report, CommandError> {
    let now = (context.now)();
    // The refused file's own generation is ignored: the host keeps its generation.
    let generation = last.map_or(0, |last| last.node.generation);
    let report = blocked_report(server, generation, "verify the node file", failure, (now, now));
    let state = PunchStateFolder::state_folder_of_root(root.host_root().clone());
    state
        .save_report_to_history(&report)
        .map_err(|error| CommandError::failed_halfway_error(error.to_string()))?;
    Ok(report)
}

/// Writes to the history that the host is held.
pub(crate) fn save_held_report_to_history(
    context: &CommandContext,
    root: &HostFileAccess,
    server: &ServerName,
    hold: &HostHold,
) -> Result<Report, CommandError> {
    let now = (context.now)();
    let generation = AgentStateFiles::new(root).read_last_good_node()?.map_or(0, |last| last.node.generation);
    let report = Report {
        outcome: RunOutcome::Held,
        ..blocked_report(
            server,
            generation,
            "restore",
            &CommandError::blocked_error(format!("held {}", hold.describe())),
            (now, now),
        )
    };
    let state = PunchStateFolder::state_folder_of_root(root.host_root().clone());
    state
        .save_report_to_history(&report)
        .map_err(|error| CommandError::failed_halfway_error(error.to_string()))?;
    Ok(report)
}

/// The report of a run that touched nothing, because `action` failed.
fn blocked_report(
    server: &ServerName,
    generation: u64,
    action: &str,
    failure: &CommandError,
    (started, now): (time_text::UnixMicros, time_text::UnixMicros),
) -> Report {
    Report {
        server: server.to_string(),
        generation,
        outcome: RunOutcome::Blocked,
        started_us: started,
        duration_us: (now - started).max(0),
        unchanged: 0,
        entries: vec![ReportEntry {
            action: action.to_owned(),
            components: BTreeSet::new(),
            result: ReportEntryResult::Blocked,
            detail: failure.message.clone(),
            duration_us: 0,
        }],
        repairs: Vec::new(),
    }
}

/// After a successful run, records the node file as last good and removes unneeded packages from the cache.
fn remember_last_good(
    context: &CommandContext,
    root: &HostFileAccess,
    trusted_node: &TrustedNode,
    last: Option<&LastGoodNode>,
    source: &PackageSource,
    report: &Report,
) -> Result<(), CommandError> {
    let state = AgentStateFiles::new(root);
    let is_good = match report.outcome {
        RunOutcome::Changed | RunOutcome::Unchanged => {
            state.keep_earlier_good_node_and_forget_given_up(&trusted_node.node, last)?;
            true
        }
        outcome => outcome == RunOutcome::RolledBack,
    };
    if !is_good {
        return Ok(());
    }
    if report.outcome == RunOutcome::Changed {
        let mut keep = checksums(&trusted_node.node);
        keep.extend(last.iter().flat_map(|last| checksums(&last.node)));
        keep.extend(source.checksums_of_used_metadata());
        VerifiedFileCache::new(root.host_root()).remove_all_files_except(&keep);
    }
    state.save_last_good_node(&trusted_node.text, trusted_node.tag.as_deref(), last, (context.now)())
}

fn checksums(node: &Node) -> BTreeSet<String> {
    let packages = node.components.values().flat_map(|component| [&component.payload, &component.deployment]);
    packages.flatten().map(|package| package.sha256.clone()).collect()
}

/// All problems at once, because fixing one at a time is tiresome.
fn inspection_errors(problems: &[CannotApplyNodeError], trusted_node: &TrustedNode) -> CommandError {
    let some_have = |cause| problems.iter().any(|problem| problem.cause == cause);
    let exit = if some_have(CannotApplyCause::Unreachable) {
        Exit::Unreachable
    } else if some_have(CannotApplyCause::WrongInput) && trusted_node.is_file_of_user {
        Exit::Input
    } else {
        Exit::Blocked
    };
    let text = match problems {
        [only] => only.to_string(),
        several => {
            let lines: Vec<String> = several.iter().map(|problem| format!("\n  {problem}")).collect();
            format!("{} problems prevent the run:{}", several.len(), lines.concat())
        }
    };
    CommandError::new(exit, text).with_hint("nothing was changed")
}

/// `web-01 generation 7: changed, 5 done, 12 right already, in 1.2 s`.
fn summary(report: &Report) -> String {
    format!(
        "{} generation {}: {}, {}, in {}",
        report.server,
        report.generation,
        report_text::run_outcome_name(report.outcome),
        report_text::format_result_counts(report),
        time_text::format_duration(report.duration_us)
    )
}

/// How the program ends after a run with this report.
fn exit_code(report: &Report) -> Exit {
    let failed = report.entries.iter().any(|entry| entry.result == ReportEntryResult::Failed);
    match report.outcome {
        RunOutcome::Partly if failed => Exit::Failed,
        RunOutcome::Unchanged | RunOutcome::Changed | RunOutcome::Held => Exit::Done,
        RunOutcome::Blocked | RunOutcome::Partly => Exit::Blocked,
        RunOutcome::RolledBack => Exit::RolledBack,
        RunOutcome::Failed | RunOutcome::Interrupted => Exit::Failed,
    }
}
