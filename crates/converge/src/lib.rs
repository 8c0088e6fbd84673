//! One host: inspects it, applies a plan to it, reports. What must change is decided in `model::plan`.
//!
//! The modules follow a run: [`inspect_host()`] reads what the node file names and what the host is like,
//! `model::plan::plan` compares both, [`fetch_packages()`] gets the packages the plan installs, [`apply()`] executes the
//! plan and writes down each step in [`HostState`].

mod apply;
mod deployment_files;
mod health;
mod host;
mod host_root;
mod inspect;
mod packages;
mod state;

pub use apply::{ApplyEvent, FetchedPackages, apply, fetch_packages};
pub use host::{Host, HostError, HttpGet, Machine, SecretMasking, memory};
pub use host_root::HostRoot;
pub use inspect::{HostInspection, InspectionError, inspect_host};
pub use packages::{FetchError, PackageFetcher, PackagePin};
pub use state::{HostState, RunLock, STATE_FOLDER, StateError};
