//! One host: inspects it, applies a plan to it, reports. What must change is decided in `model::plan`.
//!
//! The modules follow a run: [`inspect_host()`] reads what the node file names and what the host is like,
//! `model::plan::plan_host_changes` compares both, [`fetch_packages_of_plan()`] gets the packages the plan installs, [`apply_plan()`] executes the
//! plan and writes down each step in [`HostState`].

mod apply;
mod deployment_files;
mod health;
mod host;
mod host_root;
mod host_state;
mod inspect;
mod package_fetcher;

pub use apply::{ApplyProgressEvent, FetchedPackages, apply_plan, fetch_packages_of_plan};
pub use host::{Host, HostError, HttpGetFunction, Machine, SecretMaskingHost, memory_host};
pub use host_root::HostRoot;
pub use host_state::{HostState, HostStateError, RunLock, STATE_FOLDER};
pub use inspect::{CannotApplyNodeError, DesiredAndObservedHost, inspect_host};
pub use package_fetcher::{PackageFetchError, PackageFetcher, PackagePin};
