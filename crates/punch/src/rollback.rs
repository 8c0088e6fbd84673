//! Going back to an earlier good generation: by itself after a run that failed, or because somebody asks for it.
//!
//! What is given up is on disk before anything is changed back, so that a killed rollback is completed by the next run.

use converge::RunPurpose;
use model::{
    node::digest_node_content,
    plan::{BlockedSubject, find_irreversible_steps_tried},
    report::{Report, ReportEntryResult, RunOutcome},
};

use crate::{
    agent_state::{
        AgentStateFiles, GivenUpGeneration, LastGoodNode, describe_generation, describe_last_good_generation,
    },
    command_error::CommandError,
    deploy::{CommandContextHostRootAndLock, DeploymentResult, run_deployment},
    package_source::PackageSource,
    removal_limit_and_deadline_options::RemovalLimitAndDeadlineOptions,
    trusted_node::TrustedNode,
};

/// Makes the host what the node file says, where `last` was the last good one; if that fails, the host goes back to it.
pub(crate) fn deploy_or_roll_back(
    host: CommandContextHostRootAndLock<'_>,
    trusted_node: &TrustedNode,
    last: Option<&LastGoodNode>,
    source: &mut PackageSource,
    options: &RemovalLimitAndDeadlineOptions,
) -> Result<DeploymentResult, CommandError> {
    let result = run_deployment(host, trusted_node, last, source, options, RunPurpose::Deploy)?;
    let Some(last) =
        last.filter(|last| digest_node_content(&last.node) != digest_node_content(&trusted_node.node))
    else {
        return Ok(result);
    };
    if result.report.outcome != RunOutcome::Failed {
        return Ok(result);
    }
    let output = &host.context.output;
    let irreversible = find_irreversible_steps_tried(result.planned(), &result.report);
    if !irreversible.is_empty() {
        output.print_warning(format!(
            "this host is not taken back to {}: `{}` cannot be taken back. Remove the cause; the next run completes what is missing",
            describe_last_good_generation(&last.node),
            irreversible.join("`, `")
        ));
        return Ok(result);
    }
    let given_up =
        GivenUpGeneration::new(&trusted_node.node, first_failure(&result.report), last.text.as_str());
    output.print_note_to_stderr(format!(
        "{} failed; this host goes back to {}",
        describe_generation(&trusted_node.node),
        describe_last_good_generation(&last.node)
    ));
    let back = roll_back(host, &given_up, TrustedNode::of_good_node(last), last, source)?;
    let refused = downgrade_refusals(&back);
    if !refused.is_empty() {
        output.print_warning(format!(
            "this host is not taken back to {}: {}. Remove the cause of the failure; the next run completes what is missing",
            describe_last_good_generation(&last.node),
            refused.join("; ")
        ));
    } else if back.report.outcome != RunOutcome::RolledBack {
        let why = back.stopped.as_ref().map_or_else(String::new, |failure| format!(": {}", failure.message));
        output.print_warning(format!(
            "this host could not be taken back to {}{why}; the next `punch restore` tries it again",
            describe_last_good_generation(&last.node)
        ));
    }
    Ok(back.after_failed_run(result))
}

/// Goes back from what is `given_up` to `target`, where `last` was the last good node.
pub(crate) fn roll_back(
    host: CommandContextHostRootAndLock<'_>,
    given_up: &GivenUpGeneration,
    target: TrustedNode,
    last: &LastGoodNode,
    source: &mut PackageSource,
) -> Result<DeploymentResult, CommandError> {
    let files = AgentStateFiles::new(host.root);
    let before = files.read_given_up_generation()?;
    files.save_given_up_generation(given_up)?;
    let options = RemovalLimitAndDeadlineOptions::of_rollback();
    let back = run_deployment(host, &target, Some(last), source, &options, given_up.purpose_of_going_back())?;
    if !downgrade_refusals(&back).is_empty() {
        // Nothing was changed, and trying again would change nothing: the generation is not given up.
        match before {
            Some(before) => files.save_given_up_generation(&before)?,
            None => files.forget_given_up_generation()?,
        }
    }
    Ok(back)
}

/// What the downgrade guards of components said against going back.
fn downgrade_refusals(back: &DeploymentResult) -> Vec<String> {
    let blocked = back.planned().blocked.iter();
    blocked
        .filter(|item| matches!(item.what, BlockedSubject::Downgrade(_)))
        .map(|item| format!("{} is refused: {}", item.what, item.because))
        .collect()
}

/// What failed first, and why.
fn first_failure(report: &Report) -> String {
    let failed = report.entries.iter().find(|entry| entry.result == ReportEntryResult::Failed);
    failed.map_or_else(
        || "it failed".to_owned(),
        |entry| format!("`{}` failed: {}", entry.action, entry.detail),
    )
}
