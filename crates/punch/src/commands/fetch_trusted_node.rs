//! The node file that `restore` applies and `plan` shows.

use converge::RunPurpose;

use crate::{
    agent_state::{AgentStateFiles, LastGoodNode, describe_generation},
    back_office_client::{BackOfficeClientOfHost, describe_last_contact},
    command_context::CommandContext,
    command_error::CommandError,
    host_files::HostFileAccess,
    trusted_keys::TrustSettingsOfHost,
    trusted_node::TrustedNode,
};

/// The verified node file to apply, why it is applied, and the keys this host trusts.
pub(super) struct NodeToApply {
    pub(super) trusted: TrustedNode,
    pub(super) purpose: RunPurpose,
    pub(super) trust: TrustSettingsOfHost,
}

/// Returns what `restore` applies: what the back-office has, or the last good one where `cached`, or what this host went
/// back to where the newest was given up and `retry` does not ask for it again.
pub(super) fn fetch_node_to_apply(
    context: &CommandContext,
    root: &HostFileAccess,
    back_office: &BackOfficeClientOfHost,
    last: Option<&LastGoodNode>,
    (cached, retry): (bool, bool),
) -> Result<NodeToApply, CommandError> {
    let (trusted, trust) = fetch_or_load_trusted_node(context, root, back_office, last, cached)?;
    let given_up = AgentStateFiles::new(root).read_given_up_generation()?;
    match given_up.filter(|given_up| !cached && !retry && given_up.has_content_of(&trusted.node)) {
        None => Ok(NodeToApply { trusted, purpose: RunPurpose::Deploy, trust }),
        Some(given_up) => {
            let back_to = given_up.good_node_to_go_back_to()?;
            context.output.print_warning(format!(
                "{} was given up on this host ({}) and is not tried again until its content changes; \
                 `punch restore --retry` tries it now",
                describe_generation(&trusted.node),
                given_up.because
            ));
            Ok(NodeToApply {
                trusted: TrustedNode { tag: None, ..TrustedNode::of_good_node(&back_to) },
                purpose: given_up.purpose_of_going_back(),
                trust,
            })
        }
    }
}

fn fetch_or_load_trusted_node(
    context: &CommandContext,
    root: &HostFileAccess,
    back_office: &BackOfficeClientOfHost,
    last: Option<&LastGoodNode>,
    cached: bool,
) -> Result<(TrustedNode, TrustSettingsOfHost), CommandError> {
    let state = AgentStateFiles::new(root);
    let trust = TrustSettingsOfHost::load_trusted_keys(root)?;
    let last_contact = state.read_last_back_office_contact()?;
    if !cached {
        let trusted =
            back_office.fetch_node_file_and_verify_signature(last, last_contact, &trust, context)?;
        trusted
            .refuse_generation_older_than_begun(state.read_highest_begun_generation()?.as_ref())
            .map_err(CommandError::input_error_into_blocked)?;
        return Ok((trusted, trust));
    }
    let Some(last) = last else {
        return Err(CommandError::invalid_input_error("this host has no last good generation yet")
            .with_hint("run `punch restore` when the back-office can be reached"));
    };
    context.output.print_warning(format!(
        "generation {} is taken from the cache, without asking the back-office; {}",
        last.node.generation,
        describe_last_contact(last_contact, context)
    ));
    // It may be older than a generation that was begun and failed: `--cached` goes back on purpose.
    let trusted = TrustedNode::verify_last_good_again(last, &trust, &context.output)
        .map_err(CommandError::input_error_into_blocked)?;
    Ok((trusted, trust))
}
