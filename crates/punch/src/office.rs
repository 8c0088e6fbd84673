//! A joined host and its back-office: fetching the node file, handing over reports.

use model::{exit::Exit, name::ServerName, report::Report};

use crate::{
    client::{ApiClient, BearerToken, NodeAnswer},
    context::CommandContext,
    failure::CommandError,
    membership::Membership,
    root::HostPaths,
    state::{AgentState, LastGood},
    trust::TrustedKeys,
    when::{self, Micros},
    wish::TrustedNode,
};

/// The back-office of a joined host.
pub(crate) struct BackOfficeLink {
    membership: Membership,
    client: ApiClient,
}

impl BackOfficeLink {
    /// The back-office this host joined.
    pub(crate) fn of(root: &HostPaths) -> Result<Self, CommandError> {
        let membership = Membership::require(root)?;
        let authorities = Some(root.authorities()).filter(|path| path.exists());
        let token = BearerToken::new(&membership.credential).map_err(|failure| {
            CommandError::blocked(format!("{}: {}", root.membership().display(), failure.message))
                .hint("the file was damaged: join again with a new token")
        })?;
        let client = ApiClient::new(&membership.url, Some(token), authorities)?;
        Ok(Self { membership, client })
    }

    /// Where packages of `channel` are.
    pub(crate) fn repository(&self, channel: &str) -> String {
        format!("{}/repository/{channel}", self.client.base())
    }

    /// This server's name there.
    pub(crate) fn server(&self) -> &ServerName {
        &self.membership.server
    }

    /// This server's node file, believed: the last good one again when the back-office says that it has
    /// not changed.
    pub(crate) fn wish(
        &self,
        last: Option<&LastGood>,
        heard: Option<Micros>,
        trust: &TrustedKeys,
        context: &CommandContext,
    ) -> Result<TrustedNode, CommandError> {
        let tag = last.and_then(|last| last.tag.as_deref());
        match self.client.node(&self.membership.server, tag) {
            Ok(NodeAnswer::File { text, tag }) => {
                let name = format!("the node file of {} from {}", self.membership.server, self.client.base());
                TrustedNode::believe(&name, text, tag, trust, &context.output).map_err(CommandError::blocks)
            }
            Ok(NodeAnswer::Same) => match last {
                Some(last) => TrustedNode::again(last, trust, &context.output).map_err(CommandError::blocks),
                None => Err(CommandError::blocked(format!(
                    "{} says that nothing has changed, and there is nothing here",
                    self.client.base()
                ))),
            },
            Err(error) if error.is_unreachable() => {
                let age = match last {
                    Some(last) => {
                        format!(
                            "the last good generation is {}, and {}",
                            last.node.generation,
                            heard_words(heard, context)
                        )
                    }
                    None => "this host has no last good generation yet".to_owned(),
                };
                let failure = CommandError::new(Exit::Unreachable, format!("{error}; {age}"));
                Err(match last {
                    Some(_) => failure.hint("nothing was changed; `punch restore --cached` applies the last good generation again"),
                    None => failure.hint("nothing was changed; check the address, the network and that `geppetto serve` runs there"),
                })
            }
            Err(error) => {
                let refused = matches!(error.status(), Some(401 | 403));
                let failure = CommandError::from(error);
                Err(if refused {
                    failure.hint("the back-office does not know this host's credential: join again with a new token (`geppetto join-token SERVER`)")
                } else {
                    failure
                })
            }
        }
    }

    /// Hands over all reports that wait, oldest first; whether none waits any more. However that goes, it
    /// changes nothing about how the run ended.
    pub(crate) fn deliver(&self, state: &AgentState, context: &CommandContext) -> bool {
        self.try_deliver(state, context).unwrap_or_else(|failure| {
            context.output.warn(format!("reports wait for the back-office: {}", failure.message));
            false
        })
    }

    fn try_deliver(&self, state: &AgentState, context: &CommandContext) -> Result<bool, CommandError> {
        for report in state.unsent(&context.output)? {
            match self.client.report(&self.membership.server, &report) {
                Ok(()) => state.sent(&report)?,
                // It will never be accepted: keeping it would hold up all that come after it.
                Err(error) if matches!(error.status(), Some(400 | 409 | 413 | 422)) => {
                    context.output.warn(format!("a report is dropped: {error}"));
                    state.sent(&report)?;
                }
                Err(error) => {
                    context.output.warn(format!("the report is kept and sent with the next run: {error}"));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Keeps a report for the back-office. A host that cannot even do that says so and goes on.
    pub(crate) fn queue(&self, state: &AgentState, report: &Report, context: &CommandContext) {
        if let Err(failure) = state.keep_unsent(report) {
            context.output.warn(format!("the report is lost: {}", failure.message));
        }
    }
}

/// `the back-office was last heard 3 days ago (2026-11-23 09:08:16 UTC)`.
pub(crate) fn heard_words(heard: Option<Micros>, context: &CommandContext) -> String {
    match heard {
        Some(at) => {
            let age = when::age(at, (context.now)());
            format!("the back-office was last heard {age} ago ({})", when::utc(at))
        }
        None => "the back-office was never heard".to_owned(),
    }
}
