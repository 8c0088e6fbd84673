//! A component's source becomes its two packages: the payload (what runs) and the deployment (how it is deployed).

mod collect_files;
mod component_commands;
mod cpio_archive;
mod owned_directories;
mod package_to_write;
mod systemd_unit;
mod write_rpm;

use std::path::{Path, PathBuf};

pub use component_commands::{CommandEvent, run_component_build_command, run_component_test_command};
pub(crate) use package_to_write::collect_payload_paths;
pub use write_rpm::temporary_package_prefix;

use model::fault::{self, Fault, Severity};

use self::write_rpm::TemporaryPackage;
use crate::{lint::lint_component, openpgp::SecretKey, source::ComponentSource};

/// The two packages of a component version, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadAndDeploymentPackages {
    /// What runs.
    pub payload: PathBuf,
    /// How it is deployed.
    pub deployment: PathBuf,
}

/// Why a component could not be built or packaged.
#[derive(Debug, thiserror::Error)]
pub enum PackagingError {
    /// What lint calls an error.
    #[error("the component has faults:{}", fault::format_fault_list(.0))]
    Faults(Vec<Fault>),
    /// What `files` asks for cannot be packaged.
    #[error("{place}: {message}")]
    Source {
        /// The file or entry that is meant.
        place: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The build or test command did not succeed.
    #[error("the {what} command `{command}` {outcome}{tail}")]
    Command {
        /// `build` or `test`.
        what: &'static str,
        /// The command, as written.
        command: String,
        /// How it ended.
        outcome: String,
        /// The signal that ended it, if one did.
        signal: Option<i32>,
        /// The end of what it printed.
        tail: String,
    },
    /// A package could not be written.
    #[error("cannot write packages to `{}`: {reason}", dir.display())]
    Write {
        /// The folder.
        dir: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The RPM library refused what it was given.
    #[error("the package `{package}` cannot be made: {reason}")]
    Rpm {
        /// The package's name.
        package: String,
        /// The cause.
        reason: String,
    },
}

/// How hard payloads are compressed.
///
/// Measured on 25 MB of program and 56 MB of Python: level 9 is 14 to 17 % larger than level 19, at a 17th to a
/// 22nd of its time and with 20 MB of memory instead of 95; level 3 is another 10 to 16 % larger.
pub const DEFAULT_COMPRESSION_LEVEL: i32 = 9;

/// Refuses a component in which lint finds an error, and gives the warnings about any other. [`create_packages`] refuses it
/// too; before a long build this saves time.
pub fn lint_and_fail_on_errors(source: &ComponentSource) -> Result<Vec<Fault>, PackagingError> {
    let (errors, warnings): (Vec<Fault>, Vec<Fault>) =
        lint_component(source).into_iter().partition(|fault| fault.severity == Severity::Error);
    if errors.is_empty() { Ok(warnings) } else { Err(PackagingError::Faults(errors)) }
}

/// Makes both packages of a component that is already built, and writes them to the folder `out`.
///
/// The same source gives the same bytes, wherever and whenever: `source_date` (seconds since 1970) is the only
/// time inside. With a key they are signed. Either both files are there at the end, or what was
/// there before is.
pub fn create_packages(
    source: &ComponentSource,
    out: &Path,
    key: Option<&SecretKey>,
    source_date: u32,
) -> Result<PayloadAndDeploymentPackages, PackagingError> {
    create_packages_with_compression(source, out, key, source_date, DEFAULT_COMPRESSION_LEVEL)
}

/// [`create_packages`] with a compression level (1 to 19) of the caller's choice.
pub fn create_packages_with_compression(
    source: &ComponentSource,
    out: &Path,
    key: Option<&SecretKey>,
    source_date: u32,
    level: i32,
) -> Result<PayloadAndDeploymentPackages, PackagingError> {
    write_temporary_packages(source, out, key, source_date, level)?.rename_to_final_paths()
}

/// Both packages, written to temporary files: dropping this leaves nothing.
pub struct TemporaryPackages {
    payload: TemporaryPackage,
    deployment: TemporaryPackage,
}

/// The first step of [`create_packages_with_compression`], which can take long. The names of its files begin with
/// [`temporary_package_prefix`].
pub fn write_temporary_packages(
    source: &ComponentSource,
    out: &Path,
    key: Option<&SecretKey>,
    source_date: u32,
    level: i32,
) -> Result<TemporaryPackages, PackagingError> {
    lint_and_fail_on_errors(source)?;
    let payload = package_to_write::build_payload_package_contents(source, out)?;
    let deployment = package_to_write::build_deployment_package_contents(source)?;
    let out = write_rpm::PackageOutputFolder::create_or_open_output_folder(out)?;
    let settings = write_rpm::RpmWriteSettings { key, source_date, level };
    let payload = write_rpm::write_temporary_rpm_package(source, &payload, &out, &settings)?;
    let deployment = write_rpm::write_temporary_rpm_package(source, &deployment, &out, &settings)?;
    Ok(TemporaryPackages { payload, deployment })
}

impl TemporaryPackages {
    /// Gives both files their names, replacing earlier ones: both or none.
    pub fn rename_to_final_paths(self) -> Result<PayloadAndDeploymentPackages, PackagingError> {
        let TemporaryPackages { payload, deployment } = self;
        let (path, earlier) = (payload.final_path(), payload.move_existing_package_aside()?);
        let kept = payload.rename_to_final_path().and_then(|payload| {
            Ok(PayloadAndDeploymentPackages { payload, deployment: deployment.rename_to_final_path()? })
        });
        if kept.is_err() {
            // Half a pair is worse than none, and an earlier pair is better than both; that it cannot be put back
            // adds nothing to the error.
            let _ = match earlier {
                Some(earlier) => earlier.persist(&path).map_err(|error| error.error),
                None => std::fs::remove_file(&path),
            };
        }
        kept
    }
}
