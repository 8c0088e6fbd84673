//! What a job can do.

use std::sync::Arc;

use model::name::Name;
use serde::{Deserialize, Serialize};

use super::worker::{RepositoryReconcilerSettings, RunningJobContext};
use crate::backoffice::BackOfficeError;

/// A kind of job with its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// Reads every package and all metadata of the repository.
    CheckRepository,
    /// Removes old versions from the repository; how many are kept is set for the control plane if it is absent.
    RetainVersions {
        /// How many of the newest versions of each component are kept in any case.
        keep: Option<u32>,
    },
    /// Writes the metadata of a channel anew.
    RebuildChannel {
        /// The channel.
        channel: Name,
    },
    /// Removes old reports and jobs.
    PruneHistory,
    /// Removes what killed uploads and publications left in the repository.
    RemoveLeftovers,
}

const CHECK_REPOSITORY: &str = "check-repository";
/// The job that removes old versions.
pub(crate) const RETAIN_VERSIONS: &str = "retain-versions";
const REBUILD_CHANNEL: &str = "rebuild-channel";
const PRUNE_HISTORY: &str = "prune-history";
const REMOVE_LEFTOVERS: &str = "remove-leftovers";
const NAMES: [&str; 5] =
    [CHECK_REPOSITORY, RETAIN_VERSIONS, REBUILD_CHANNEL, PRUNE_HISTORY, REMOVE_LEFTOVERS];

const HOUR_US: i64 = 3_600 * 1_000_000;

/// Why there is no such job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidJobRequestError(String);

/// The input of a job, as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Input {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<Name>,
}

impl JobKind {
    /// The job of this name, with what it needs.
    pub(crate) fn job_kind_from_request(
        name: &str,
        keep: Option<u32>,
        channel: Option<Name>,
    ) -> Result<Self, InvalidJobRequestError> {
        let kind = match (name, keep, channel) {
            (CHECK_REPOSITORY, None, None) => JobKind::CheckRepository,
            (PRUNE_HISTORY, None, None) => JobKind::PruneHistory,
            (REMOVE_LEFTOVERS, None, None) => JobKind::RemoveLeftovers,
            (RETAIN_VERSIONS, Some(0), None) => {
                return Err(InvalidJobRequestError(format!(
                    "{RETAIN_VERSIONS} with `keep` 0 would also remove the newest version of every component that no \
                     node file names yet; keep at least 1"
                )));
            }
            (RETAIN_VERSIONS, keep, None) => JobKind::RetainVersions { keep },
            (REBUILD_CHANNEL, None, Some(channel)) => JobKind::RebuildChannel { channel },
            (REBUILD_CHANNEL, None, None) => {
                return Err(InvalidJobRequestError(format!("{REBUILD_CHANNEL} needs a `channel`")));
            }
            (name, ..) if NAMES.contains(&name) => {
                return Err(InvalidJobRequestError(format!(
                    "{name} was given an input that it does not take: only {RETAIN_VERSIONS} takes `keep`, and only \
                     {REBUILD_CHANNEL} takes `channel`"
                )));
            }
            (name, ..) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
                return Err(InvalidJobRequestError(format!(
                    "there is no job `{name}`; there are {}",
                    NAMES.join(", ")
                )));
            }
        };
        Ok(kind)
    }

    /// A job as it is stored.
    pub(crate) fn from_stored_name_and_input(
        name: &str,
        input: &str,
    ) -> Result<Self, InvalidJobRequestError> {
        let Input { keep, channel } = serde_json::from_str(input).map_err(|error| {
            InvalidJobRequestError(format!("the input of {name} cannot be read: {error}"))
        })?;
        Self::job_kind_from_request(name, keep, channel)
    }

    /// `check-repository`
    pub(crate) fn job_kind_name(&self) -> &'static str {
        match self {
            JobKind::CheckRepository => CHECK_REPOSITORY,
            JobKind::RetainVersions { .. } => RETAIN_VERSIONS,
            JobKind::RebuildChannel { .. } => REBUILD_CHANNEL,
            JobKind::PruneHistory => PRUNE_HISTORY,
            JobKind::RemoveLeftovers => REMOVE_LEFTOVERS,
        }
    }

    /// What is stored of it beside its name: JSON.
    pub(crate) fn input_json(&self) -> String {
        let (keep, channel) = self.input_keep_count_and_channel();
        // Names and numbers always have a JSON form.
        serde_json::to_string(&Input { keep, channel }).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Its input: how many versions are kept, and the channel.
    pub(crate) fn input_keep_count_and_channel(&self) -> (Option<u32>, Option<Name>) {
        match self {
            JobKind::RetainVersions { keep } => (*keep, None),
            JobKind::RebuildChannel { channel } => (None, Some(channel.clone())),
            JobKind::CheckRepository | JobKind::PruneHistory | JobKind::RemoveLeftovers => (None, None),
        }
    }

    /// Of a reconciler there is one unfinished job.
    pub(crate) fn unique_key_while_unfinished(&self) -> Option<&'static str> {
        match self {
            JobKind::CheckRepository
            | JobKind::PruneHistory
            | JobKind::RemoveLeftovers
            | JobKind::RetainVersions { keep: None } => Some(self.job_kind_name()),
            JobKind::RetainVersions { keep: Some(_) } | JobKind::RebuildChannel { .. } => None,
        }
    }

    /// The reconcilers that run by themselves.
    pub(crate) fn scheduled_reconcilers(schedule: &RepositoryReconcilerSettings) -> Vec<JobKind> {
        let mut kinds = vec![JobKind::PruneHistory, JobKind::RemoveLeftovers];
        if schedule.check_repository_every.is_some() {
            kinds.push(JobKind::CheckRepository);
        }
        if schedule.keep_versions.is_some() {
            kinds.push(JobKind::RetainVersions { keep: None });
        }
        kinds
    }

    /// After how long a reconciler runs again, in microseconds; `None` if it does not.
    pub(crate) fn repeat_interval_us(&self, schedule: &RepositoryReconcilerSettings) -> Option<i64> {
        match self {
            JobKind::PruneHistory | JobKind::RemoveLeftovers => Some(HOUR_US),
            JobKind::CheckRepository => {
                schedule.check_repository_every.map(|hours| i64::from(hours) * HOUR_US)
            }
            JobKind::RetainVersions { keep: None } => schedule.keep_versions.map(|_| 24 * HOUR_US),
            _ => None,
        }
    }

    /// Does it; gives one line about what came of it.
    pub(crate) async fn run_job(&self, job: &Arc<RunningJobContext>) -> Result<String, BackOfficeError> {
        let (back_office, permit) = (&job.back_office, job.permit.to_permit_of_lower_level());
        match self {
            JobKind::CheckRepository => {
                let progress = Arc::clone(job);
                let report = move |done, total| progress.report_progress_and_may_continue(done, total);
                let findings = back_office.check_repository(&permit, report).await?;
                for finding in &findings {
                    job.append_log_line(finding.to_string());
                }
                match findings.len() {
                    0 => Ok("the repository is whole".to_owned()),
                    count => Err(BackOfficeError::Damaged(format!(
                        "the repository has {count} damaged files; each line of the log names the fix: restore \
                         missing package files from a backup, or publish a new release"
                    ))),
                }
            }
            JobKind::RetainVersions { keep } => {
                let Some(keep) = keep.or(job.schedule.keep_versions) else {
                    return Ok("nothing to do: this control plane keeps all versions".to_owned());
                };
                let removed =
                    back_office.remove_unneeded_versions_from_every_channel(&permit, keep as usize).await?;
                for file in &removed.files {
                    job.append_log_line(format!("removed {file}"));
                }
                Ok(format!(
                    "{} files removed; their {} bytes are free once readers of older metadata had their hour and the \
                     next publication or retention comes",
                    removed.files.len(),
                    removed.bytes
                ))
            }
            JobKind::RebuildChannel { channel } => {
                back_office.rewrite_channel_metadata_and_links(&permit, channel.clone()).await?;
                Ok(format!("the metadata of channel {channel} is written anew"))
            }
            JobKind::PruneHistory => {
                let (reports, jobs) = back_office.prune_reports_and_ended_jobs(&permit).await?;
                Ok(format!("{reports} old reports and {jobs} old jobs removed"))
            }
            JobKind::RemoveLeftovers => {
                let removed = back_office.remove_leftovers_of_killed_processes(&permit).await?;
                for path in &removed {
                    job.append_log_line(format!("removed {}", path.display()));
                }
                Ok(format!("{} leftover files and folders of killed processes removed", removed.len()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_job_is_read_back_and_wrong_input_is_refused() {
        let prod = || Some(Name::new("prod").unwrap());
        for kind in [
            JobKind::CheckRepository,
            JobKind::RetainVersions { keep: Some(3) },
            JobKind::RetainVersions { keep: None },
            JobKind::RebuildChannel { channel: Name::new("prod").unwrap() },
            JobKind::PruneHistory,
            JobKind::RemoveLeftovers,
        ] {
            assert_eq!(
                JobKind::from_stored_name_and_input(kind.job_kind_name(), &kind.input_json()).unwrap(),
                kind
            );
        }
        let refused = |name: &str, keep, channel| {
            JobKind::job_kind_from_request(name, keep, channel).unwrap_err().to_string()
        };
        assert!(refused("retain-versions", Some(0), None).contains("keep at least 1"));
        assert!(refused("check-repository", Some(3), None).contains("does not take"));
        assert!(refused("rebuild-channel", None, None).contains("needs a `channel`"));
        assert!(refused("retain-versions", Some(3), prod()).contains("does not take"));
        assert!(refused("check", None, None).contains("there are check-repository"));
    }
}
