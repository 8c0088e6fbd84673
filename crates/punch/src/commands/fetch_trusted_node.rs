//! The node file that `restore` applies and `plan` shows.

use crate::{
    agent_state::{AgentStateFiles, LastGoodNode},
    back_office_client::{BackOfficeClientOfHost, describe_last_contact},
    command_context::CommandContext,
    command_error::CommandError,
    host_files::HostFileAccess,
    trusted_keys::TrustSettingsOfHost,
    trusted_node::TrustedNode,
};

/// Returns the verified node file to apply, and the keys this host trusts.
pub(super) fn fetch_trusted_node_unless_cached_requested(
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
        "generation {} is applied from the cache without asking the back-office; {}",
        last.node.generation,
        describe_last_contact(last_contact, context)
    ));
    // It may be older than a generation that was begun and failed: `--cached` goes back on purpose.
    let trusted = TrustedNode::verify_last_good_again(last, &trust, &context.output)
        .map_err(CommandError::input_error_into_blocked)?;
    Ok((trusted, trust))
}
