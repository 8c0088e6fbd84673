//! A joined host's requests to its back-office: fetch the node file, send reports.

use model::{exit::Exit, name::ServerName, report::Report};

use crate::{
    agent_state::{AgentStateFiles, LastGoodNode},
    api_client::{ApiClient, BearerToken, NodeFileResponse},
    command_context::CommandContext,
    command_error::CommandError,
    host_files::{HostFileAccess, MEMBERSHIP_PATH},
    membership::BackOfficeMembership,
    time_text::{self, UnixMicros},
    trusted_keys::TrustSettingsOfHost,
    trusted_node::TrustedNode,
};

/// The back-office of a joined host.
pub(crate) struct BackOfficeClientOfHost {
    membership: BackOfficeMembership,
    client: ApiClient,
}

impl BackOfficeClientOfHost {
    /// Reads which back-office this host joined, and prepares requests to it.
    pub(crate) fn client_from_membership(root: &HostFileAccess) -> Result<Self, CommandError> {
        let membership = BackOfficeMembership::load_required_membership(root)?;
        let authorities = root.find_custom_ca_certificates_file()?;
        let token = BearerToken::new(&membership.credential).map_err(|failure| {
            CommandError::blocked_error(format!(
                "{}: {}",
                root.display_path(MEMBERSHIP_PATH).display(),
                failure.message
            ))
            .with_hint("the file was damaged: join again with a new token")
        })?;
        let client = ApiClient::new(&membership.url, Some(token), authorities.as_deref())?;
        Ok(Self { membership, client })
    }

    /// The URL of the repository of `channel`.
    pub(crate) fn repository_url(&self, channel: &str) -> String {
        format!("{}/repository/{channel}", self.client.base_url())
    }

    /// This server's name there.
    pub(crate) fn joined_server_name(&self) -> &ServerName {
        &self.membership.server
    }

    /// Fetches and verifies this server's node file. Returns the last good one when the back-office answers
    /// that it has not changed.
    pub(crate) fn fetch_node_file_and_verify_signature(
        &self,
        last: Option<&LastGoodNode>,
        last_contact: Option<UnixMicros>,
        trust: &TrustSettingsOfHost,
        context: &CommandContext,
    ) -> Result<TrustedNode, CommandError> {
        let tag = last.and_then(|last| last.tag.as_deref());
        match self.client.fetch_node_file_unless_unchanged(&self.membership.server, tag) {
            Ok(NodeFileResponse::File { text, tag }) => {
                let name =
                    format!("the node file of {} from {}", self.membership.server, self.client.base_url());
                TrustedNode::verify_and_parse_node_yaml(&name, text, tag, trust, &context.output)
                    .map_err(CommandError::input_error_into_blocked)
            }
            Ok(NodeFileResponse::Same) => match last {
                Some(last) => TrustedNode::verify_last_good_again(last, trust, &context.output)
                    .map_err(CommandError::input_error_into_blocked),
                None => Err(CommandError::blocked_error(format!(
                    "{} answered that the node file has not changed, but this host has no last good node file",
                    self.client.base_url()
                ))),
            },
            Err(error) if error.is_unavailable() => {
                let age = match last {
                    Some(last) => {
                        format!(
                            "the last good generation is {}, and {}",
                            last.node.generation,
                            describe_last_contact(last_contact, context)
                        )
                    }
                    None => "this host has no last good generation yet".to_owned(),
                };
                let failure = CommandError::new(Exit::Unreachable, format!("{error}; {age}"));
                Err(match last {
                    Some(_) => failure.with_hint("nothing was changed; `punch restore --cached` applies the last good generation again"),
                    None => failure.with_hint("nothing was changed; check the address, the network and that `geppetto serve` runs there"),
                })
            }
            Err(error) => {
                let refused = matches!(error.http_status(), Some(401 | 403));
                let failure = CommandError::from(error);
                Err(if refused {
                    failure.with_hint("the back-office does not accept this host's credential: join again with a new token (`punch server join-token SERVER`)")
                } else {
                    failure
                })
            }
        }
    }

    /// Sends all queued reports, oldest first, and returns whether none is left. A failure is a warning and
    /// does not change how the run ended.
    pub(crate) fn send_queued_reports(&self, state: &AgentStateFiles, context: &CommandContext) -> bool {
        self.try_send_reports(state, context).unwrap_or_else(|failure| {
            context.output.print_warning(format!("queued reports could not be sent: {}", failure.message));
            false
        })
    }

    fn try_send_reports(
        &self,
        state: &AgentStateFiles,
        context: &CommandContext,
    ) -> Result<bool, CommandError> {
        for report in state.read_unsent_reports_setting_damaged_aside(&context.output)? {
            match self.client.send_report(&self.membership.server, &report) {
                Ok(()) => state.remove_sent_report(&report)?,
                // It will never be accepted: keeping it would block all later ones.
                Err(error) if matches!(error.http_status(), Some(400 | 409 | 413 | 422)) => {
                    context.output.print_warning(format!("a report is dropped: {error}"));
                    state.remove_sent_report(&report)?;
                }
                Err(error) => {
                    context
                        .output
                        .print_warning(format!("the report is kept and sent with the next run: {error}"));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Queues a report for the back-office. A failure to write it is a warning.
    pub(crate) fn queue_unsent_report_or_warn(
        &self,
        state: &AgentStateFiles,
        report: &Report,
        context: &CommandContext,
    ) {
        if let Err(failure) = state.save_unsent_report(report) {
            context.output.print_warning(format!("the report is lost: {}", failure.message));
        }
    }
}

/// `the back-office last answered 3 days ago (2026-11-23 09:08:16 UTC)`.
pub(crate) fn describe_last_contact(last_contact: Option<UnixMicros>, context: &CommandContext) -> String {
    match last_contact {
        Some(at) => {
            let age = time_text::format_time_between(at, (context.now)());
            format!("the back-office last answered {age} ago ({})", time_text::format_utc(at))
        }
        None => "the back-office has never answered".to_owned(),
    }
}
