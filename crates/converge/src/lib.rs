//! One host: inspects it, applies a plan to it, reports. What must change is decided in `model::plan`.
//!
//! The modules follow a run: [`fetch_deployments_and_observe_host()`] reads what the node file names and what the host is like,
//! `model::plan::plan_host_changes` compares both, [`fetch_packages_of_plan()`] gets the packages the plan installs,
//! [`block_plan_on_path_conflicts()`] compares what they bring with what is there, [`apply_plan()`] executes the plan and writes down each step in [`PunchStateFolder`].

mod apply;
mod deployment_files;
mod health;
mod host;
mod host_root;
mod inspect;
mod kept_files;
mod package_fetcher;
mod payload;
mod punch_state_folder;
mod repair;
mod run_purpose;

pub use apply::{ApplyProgressEvent, FetchedPackagesByChange, apply_plan, fetch_packages_of_plan};
pub use host::{Host, HostError, HttpGetFunction, RealHost, SecretMaskingHost, memory_host};
pub use host_root::HostRoot;
pub use inspect::{CannotApplyNodeError, DesiredAndObservedHost, fetch_deployments_and_observe_host};
pub use package_fetcher::{CannotApplyCause, PackageFetchError, PackageFetcher, PackagePin};
pub use payload::{
    EntryAtPath, EntryKind, ObservedPackagePath, ObservedPackagePaths, PackagePathsRequest,
    PackagedPathOwner, PayloadDriftRequest, PayloadVerification, VerifiedPayloads,
    block_plan_on_path_conflicts,
};
pub use punch_state_folder::{PUNCH_STATE_FOLDER, PunchStateFolder, PunchStateFolderError, RunLock};
pub use repair::{RepairOccasion, repair_interrupted_work};
pub use run_purpose::RunPurpose;
