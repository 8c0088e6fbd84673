//! Jobs: durable background work, run by whichever control plane takes it.
//!
//! A reconciler is a job without input that runs again after a while: it looks at everything and moves it one step
//! closer to what it should be. `kind` says what there is to do, `worker` takes jobs and keeps their leases.

mod kind;
mod worker;

pub(crate) use kind::{InvalidJobRequestError, JobKind, RETAIN_VERSIONS};
pub(crate) use worker::{RepositoryReconcilerSettings, run_job_worker};
