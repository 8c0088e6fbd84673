//! The verbs of the command line, one file each.

pub mod completion;
pub mod enc;
pub mod explain;
pub mod export;
pub mod import;
pub mod init;
pub mod join_token;
pub mod man;
pub mod node;
pub mod openapi;
pub mod repository;
pub mod serve;
pub mod server;
pub mod token;
pub mod trust;

use crate::{
    backoffice::BackOffice,
    cli::{Cli, Verb},
    clock::Clock,
    daemon_error::DaemonError,
    data_folder::DataFolder,
};

/// What every verb may need to know.
pub struct DaemonContext {
    /// The folder named on the command line.
    pub data: std::path::PathBuf,
    /// Who runs the command: `local user ann`.
    pub actor: String,
    /// Tells the time.
    pub clock: Clock,
}

impl DaemonContext {
    /// Opens the control plane, which must be there.
    pub async fn back_office(&self) -> Result<BackOffice, DaemonError> {
        BackOffice::open(DataFolder::open(&self.data)?, self.clock.clone()).await
    }
}

/// Runs the verb of a command line.
pub async fn run(cli: Cli, clock: Clock) -> Result<(), DaemonError> {
    let context = DaemonContext { actor: cli.actor(), data: cli.data, clock };
    match cli.verb {
        Verb::Init(init) => init.run(&context).await,
        Verb::Serve(serve) => serve.run(&context).await,
        Verb::Import(import) => import.run(&context).await,
        Verb::Export(export) => export.run(&context).await,
        Verb::Node(node) => node.run(&context).await,
        Verb::Explain(explain) => explain.run(&context).await,
        Verb::Enc(enc) => enc.run(&context).await,
        Verb::Server(server) => server.run(&context).await,
        Verb::Trust(trust) => trust.run(&context).await,
        Verb::Repository(repository) => repository.run(&context).await,
        Verb::Completion(completion) => completion.run(&context).await,
        Verb::Man(man) => man.run(&context).await,
        Verb::Openapi(openapi) => openapi.run(&context).await,
        Verb::Token(token) => token.run(&context).await,
        Verb::JoinToken(join_token) => join_token.run(&context).await,
    }
}
