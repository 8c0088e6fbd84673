//! `punch package`: a component's source becomes its two packages.

use std::path::PathBuf;

use model::{exit::Exit, fault::Fault};
use packaging::{
    package::{self, CommandEvent},
    source::ComponentSource,
};
use serde::Serialize;

use super::{
    key, lint,
    test::{follow_command, packaging_error_unless_signalled},
};
use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    settings::{Setting, SettingsResolver},
    source_date::SourceDateArg,
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
    date: SourceDateArg,
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
    pub(super) fn run_package_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        // A wrong key is an error before the build, which can take long.
        let key = self.key.map(|file| file.display().to_string());
        let key = SettingsResolver::new_with_config_file(context)?
            .resolve_setting_value(Setting::Key, key)
            .map(PathBuf::from);
        let key = key.as_deref().map(key::load_secret_key).transpose()?;
        context.interruption.set_interruption_message("no package was written; what was there before stays");
        let source = ComponentSource::load_component_source(&self.dir)?;
        let warnings = package::lint_and_fail_on_errors(&source).map_err(packaging_error_unless_signalled)?;
        if let Some(absent) = &source.deploy.absent {
            lint::print_note_of_absent_manifest(&source, context);
            let is_unread =
                |fault: &&Fault| fault.file.as_ref().is_some_and(|file| absent.unread.contains(file));
            for fault in warnings.iter().filter(is_unread) {
                context.output.print_warning(fault.to_string());
            }
        }
        let date = self.date.given_or_derived_source_date(&source.dir, context)?;
        if !self.no_build {
            let mut follow = |event: CommandEvent<'_>| follow_command(context, event);
            package::run_component_build_command(&source, date, &mut follow)
                .map_err(packaging_error_unless_signalled)?;
        }
        let (interruption, out) = (&context.interruption, self.out.display());
        interruption.remove_prefixed_files_if_interrupted(&self.out, &package::temporary_package_prefix());
        let level = package::DEFAULT_COMPRESSION_LEVEL;
        let packages = package::write_temporary_packages(&source, &self.out, key.as_ref(), date, level)
            .map_err(packaging_error_unless_signalled)?;
        let packages = {
            let _deferred = interruption.defer_interruption();
            let packages = packages.rename_to_final_paths().map_err(packaging_error_unless_signalled)?;
            interruption.set_interruption_message(format!("both packages were written to {out}"));
            packages
        };
        context.output.print_line_unless_json(packages.payload.display().to_string());
        context.output.print_line_unless_json(packages.deployment.display().to_string());
        context.output.print_json_if_requested(&Packaged {
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
