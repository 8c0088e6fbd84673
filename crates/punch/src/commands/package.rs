//! `punch package`: a component's source becomes its two packages.

use std::path::PathBuf;

use model::exit::Exit;
use packaging::{package, source::ComponentSource};
use serde::Serialize;

use super::{key, test::failed};
use crate::{
    command_error::CommandError,
    context::CommandContext,
    settings::{Setting, Settings},
    source_date::SourceDate,
};

/// Build a component and make its two packages: what runs, and how it is deployed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch package\n  punch package shop --out dist --key alice.key\n\n\
    The same source gives the same bytes. Unsigned packages are for trying out: a repository refuses them.")]
pub(crate) struct PackageArgs {
    /// Folder of the component
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Folder the packages are written to
    #[arg(long, default_value = "dist", value_name = "DIR")]
    out: PathBuf,
    /// Secret key that signs the packages, as `punch key new` made it [env: PUNCH_KEY] [config: key]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Do not run the build command first
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    date: SourceDate,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Packaged {
    component: String,
    version: String,
    payload: String,
    deployment: String,
    signed_by: Option<String>,
    source_date: u32,
}

impl PackageArgs {
    pub(super) fn run(self, context: &CommandContext) -> Result<Exit, CommandError> {
        // A wrong key is an error before the build, which can take long.
        let key = self.key.map(|file| file.display().to_string());
        let key = Settings::load(context)?.value(Setting::Key, key).map(PathBuf::from);
        let key = key.as_deref().map(key::load).transpose()?;
        let source = ComponentSource::load(&self.dir)?;
        package::refuse_faults(&source).map_err(failed)?;
        let date = self.date.resolve(&source.dir, context)?;
        if !self.no_build {
            let mut show = |line: &str| context.output.note(format!("  | {line}"));
            package::run_build_command(&source, date, &mut show).map_err(failed)?;
        }
        let packages = package::create_packages(&source, &self.out, key.as_ref(), date).map_err(failed)?;
        context.output.line(packages.payload.display().to_string());
        context.output.line(packages.deployment.display().to_string());
        context.output.json(&Packaged {
            component: source.component.name.to_string(),
            version: source.component.version.to_string(),
            payload: packages.payload.display().to_string(),
            deployment: packages.deployment.display().to_string(),
            signed_by: key.map(|key| key.fingerprint().to_string()),
            source_date: date,
        });
        Ok(Exit::Done)
    }
}
