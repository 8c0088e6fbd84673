//! One host: look at it, apply a plan to it, report. What must change is decided in `model::plan`.
//!
//! The modules follow a run: [`look()`] reads what the node file names and what the host is like,
//! `model::plan::plan` compares both, [`fetch()`] gets the packages the plan installs, [`apply()`] executes the
//! plan and writes down each step in [`State`].

mod apply;
mod deployment;
mod health;
mod host;
mod look;
mod packages;
mod state;

pub use apply::{ApplyEvent, FetchedPackages, apply, fetch};
pub use host::{Host, HostError, Machine, SecretMasking, memory, rooted};
pub use look::{HostInspection, InspectionError, look};
pub use packages::{FetchError, PackageFetcher, PackagePin};
pub use state::{HostState, RunLock, StateError, host_folder};
