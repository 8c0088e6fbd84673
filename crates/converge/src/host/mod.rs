//! The `Host` port: observing a host and applying single changes. Nothing is decided here.

pub mod memory_host;

mod machine;

mod secret_masking_host;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
};

use model::{
    health::HealthProbe,
    observe::{Observation, ObservationRequest, OsFamily, PayloadDrift, ResourcePropertiesByKind},
    plan::PlannedChange,
    report::RepairOfInterruptedWork,
    resource::ResourceId,
    version::Version,
};

use crate::payload::{
    installed_files::{PayloadDriftRequest, VerifiedPayloads},
    observed_paths::{ObservedPackagePaths, PackagePathsRequest},
};

pub(crate) use machine::require_protected_folder_below_root;
pub use machine::{HttpGetFunction, RealHost};

pub use secret_masking_host::SecretMaskingHost;

/// A host, or a folder that stands for one.
pub trait Host {
    /// The family of its distribution; none for a bare folder.
    fn os_family(&self) -> Option<OsFamily>;

    /// Whether systemd runs there, so that services can be started.
    fn is_systemd_running(&self) -> bool;

    /// Whether it is shutting down, or its systemd answers no more: what fails then says nothing about the node file.
    fn is_shutting_down(&self) -> bool {
        false
    }

    /// Whether programs of the host can be run.
    fn can_run_commands(&self) -> bool;

    /// Whether files can be given to any user: not by an ordinary user who tries a deployment below a folder.
    fn can_give_files_to_any_user(&self) -> bool {
        true
    }

    /// The installed versions of our packages, asked for in one go.
    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>>;

    /// What lies where packages are about to bring something, and which package it is of. A host that keeps no
    /// files has nothing there.
    fn observe_package_paths(&self, _: &PackagePathsRequest<'_>) -> Result<ObservedPackagePaths, HostError> {
        Ok(ObservedPackagePaths::new())
    }

    /// What of installed packages is not as they brought it, or why that cannot be told. `known` is brought up to date.
    /// A host that keeps no files has nothing to compare.
    fn observe_payload_drift(
        &self,
        _: &PayloadDriftRequest<'_>,
        _known: &mut VerifiedPayloads,
    ) -> BTreeMap<String, Result<PayloadDrift, String>> {
        BTreeMap::new()
    }

    /// A sentence for each file that changes one of `units` and is not `described`.
    fn observe_unit_overrides(
        &self,
        _units: &BTreeSet<String>,
        _described: &BTreeSet<String>,
    ) -> Vec<String> {
        Vec::new()
    }

    /// Properties of all that is asked for. Nothing is read twice.
    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>>;

    /// Removes the temporary files that killed runs left where these resources lie, and among punch's own files.
    fn remove_temporary_files(&mut self, _: &BTreeSet<ResourceId>) -> Result<(), HostError> {
        Ok(())
    }

    /// Opens the file that a change of this resource replaces or removes, to save what it holds; nothing when no
    /// file is there.
    fn open_file_to_save(&self, _: &ResourceId) -> Result<Option<File>, HostError> {
        Ok(None)
    }

    /// Makes whole what killed programs left half done: what costs nothing to see, or all if `thorough`. A host in
    /// memory has no programs.
    fn repair_interrupted_work(
        &mut self,
        _thorough: bool,
    ) -> Result<Vec<RepairOfInterruptedWork>, HostError> {
        Ok(Vec::new())
    }

    /// Makes one change. `packages` are the files of the packages it installs. The returned text is the
    /// detail of the report's entry, if any.
    fn apply_change(
        &mut self,
        change: &PlannedChange,
        packages: &[PathBuf],
    ) -> Result<Option<String>, HostError>;

    /// Does what could wait for the last change of a run.
    fn finish_deferred_work(&mut self) -> Result<(), HostError> {
        Ok(())
    }

    /// Runs one health check once. The error is what was received instead.
    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String>;
}

/// Why something on a host could not be looked at or done.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A program that is needed is not there.
    #[error("`{program}` is not installed on this host; {hint}")]
    Missing {
        /// The program.
        program: String,
        /// How to get it.
        hint: String,
    },
    /// A program failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The command line, shortened.
        command: String,
        /// What it wrote, or its exit code.
        message: String,
    },
    /// A file operation failed.
    #[error("{what} {path}: {because}")]
    File {
        /// What was tried: `cannot write`.
        what: &'static str,
        /// The path, as the host knows it.
        path: String,
        /// Why, and what to do.
        because: String,
    },
    /// A user of the host can change what a path leads to.
    #[error("{path}: {because}")]
    UnsafePath {
        /// The path, as the host knows it.
        path: String,
        /// Who can change it, and what to do.
        because: String,
    },
    /// A user cannot be removed while he is at work.
    #[error(
        "user {user} is not removed while {processes} of his still runs; end it (`loginctl terminate-user {user}`), or wait for it; the next run tries again"
    )]
    AccountInUse {
        /// The user.
        user: String,
        /// Some of his processes.
        processes: String,
    },
    /// What a file holds cannot be saved before it is replaced or removed.
    #[error("{path} is left as it is, because what it holds cannot be saved: {because}")]
    NotSaved {
        /// The path, as the host knows it.
        path: String,
        /// Why, and what to do.
        because: String,
    },
    /// Packages were installed, and scripts of theirs failed.
    #[error("{}", failed_scriptlets_sentence(failed, notes))]
    Scriptlets {
        /// The scripts and how they ended, by package.
        failed: BTreeMap<String, Vec<String>>,
        /// What else the tool said.
        notes: Vec<String>,
    },
    /// Services were started and do not stay up.
    #[error("{}", failed.iter().map(|(name, why)| format!("service {name}: {why}")).collect::<Vec<_>>().join("\n"))]
    ServicesDoNotStayUp {
        /// Why, by the name of the service.
        failed: BTreeMap<String, String>,
    },
    /// Anything else, as a sentence.
    #[error("{0}")]
    Other(String),
}

impl HostError {
    /// Whether only the components of the change have failed: a user of the host can cause it, or it is their own doing.
    pub fn is_limited_to_components(&self) -> bool {
        matches!(
            self,
            HostError::UnsafePath { .. }
                | HostError::NotSaved { .. }
                | HostError::AccountInUse { .. }
                | HostError::Scriptlets { .. }
        )
    }

    pub(crate) fn from_io_error(what: &'static str, path: impl Into<String>, error: &std::io::Error) -> Self {
        HostError::File { what, path: path.into(), because: file_system_error_reason_with_advice(error) }
    }
}

fn failed_scriptlets_sentence(failed: &BTreeMap<String, Vec<String>>, notes: &[String]) -> String {
    let scripts = failed.iter().map(|(package, scripts)| format!("{package}: {}", scripts.join(", ")));
    let scripts: Vec<String> = scripts.collect();
    let mut sentence = format!(
        "scripts of installed packages failed ({}); the next run installs the package and runs them again",
        scripts.join("; ")
    );
    for note in notes {
        sentence += "; ";
        sentence += note;
    }
    sentence
}

/// The error in words, with what to do when permission is denied or the disk is full.
pub(crate) fn file_system_error_reason_with_advice(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull => "the disk is full; free some space and run again".to_owned(),
        ErrorKind::QuotaExceeded => "the disk quota is used up; free some space and run again".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only".to_owned(),
        ErrorKind::PermissionDenied => "permission denied; run punch as root".to_owned(),
        ErrorKind::NotADirectory => "a folder above it is not a folder".to_owned(),
        _ if error.raw_os_error() == Some(nix::libc::ELOOP) => {
            "a symbolic link stands where it may not, or links go round in a circle".to_owned()
        }
        _ => error.to_string(),
    }
}
