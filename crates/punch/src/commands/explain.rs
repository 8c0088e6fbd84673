//! `punch explain`: why a value is what it is, from the node file alone.

use std::path::PathBuf;

use model::{exit::Exit, resolve::explain, wire::ExplainedVoice};

use crate::{cli::HostArgs, context::Context, failure::Failure, state::State, wish::Wish};

/// Show why a value is what it is: who set it, and who lost
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  punch explain shop.http_port\n  punch explain shop\n  punch explain shop.http_port node.yaml\n\n\
    A component's name alone explains its version. Secrets are never shown, only where they were set."
)]
pub(crate) struct Args {
    /// Component, or component and parameter
    #[arg(value_name = "COMPONENT[.PARAMETER]")]
    key: String,
    /// Node file; else the last good one of this host
    #[arg(value_name = "NODEFILE")]
    node: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let node = match &self.node {
            Some(file) => Wish::read(file)?.node,
            None => {
                let good = State::new(&self.host.root()).last_good()?.ok_or_else(|| {
                    Failure::input("this host has no last good node file yet")
                        .hint("run `punch restore` first, or name a node file: `punch explain KEY NODEFILE`")
                })?;
                good.node
            }
        };
        let explanation = explain(&node, &self.key).map_err(|error| Failure::input(error.to_string()))?;
        let value = match &explanation.value {
            Some(value) => value.to_string(),
            None if explanation.secret => "(secret)".to_owned(),
            None => "(none)".to_owned(),
        };
        context.output.line(format!("{} = {value}", explanation.key));
        for voice in &explanation.voices {
            context.output.line(format!("  {}", line(voice, explanation.secret)));
        }
        if explanation.voices.is_empty() {
            context.output.line("  as the node file says; it was written by hand");
        }
        context.output.json(&explanation);
        Ok(Exit::Done)
    }
}

/// `wins   role web: 8080 (revision 3 by alice)`.
fn line(voice: &ExplainedVoice, secret: bool) -> String {
    let said = match (&voice.value, voice.removes) {
        (_, true) => "takes away what weaker places say".to_owned(),
        (Some(value), false) => value.to_string(),
        (None, false) if secret => "(secret)".to_owned(),
        (None, false) => "(nothing)".to_owned(),
    };
    let origin = match (&voice.revision, &voice.by) {
        (Some(revision), Some(by)) => format!(" (revision {revision} by {by})"),
        (Some(revision), None) => format!(" (revision {revision})"),
        _ => String::new(),
    };
    format!("{:7} {}: {said}{origin}", if voice.counts { "counts" } else { "loses" }, voice.place)
}
