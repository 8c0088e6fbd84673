//! Reports of servers: bounded, stored once for each run, read back page by page.

use model::{
    name::ServerName,
    report::{Report, RunOutcome},
    wire,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{BackOffice, BackOfficeError};
use crate::{
    auth::Principal,
    store::{NewReport, ReportSummaryColumns},
};

/// The most things a run can do.
const MAX_ENTRIES: usize = 10_000;
/// The longest text of an entry that is kept, in characters; the host has the rest.
const MAX_TEXT: usize = 4000;

impl BackOffice {
    /// Stores what a server reports. A run that was reported before keeps its first report.
    pub(crate) async fn receive_report(
        &self,
        principal: &Principal,
        server: &ServerName,
        mut report: Report,
    ) -> Result<wire::StoredReport, BackOfficeError> {
        principal.require_to_be_this_server(server)?;
        if report.entries.len() > MAX_ENTRIES {
            return Err(BackOfficeError::Refused(format!(
                "the report has {} entries, and at most {MAX_ENTRIES} are stored; `punch history` on {server} \
                 shows them all",
                report.entries.len()
            )));
        }
        for entry in &mut report.entries {
            for text in [&mut entry.action, &mut entry.detail] {
                truncate_text(text);
            }
        }
        let json = serde_json::to_string(&report)
            .map_err(|error| BackOfficeError::Broken(format!("a report has no JSON form: {error}")))?;
        let head = ReportSummaryColumns {
            generation: report.generation,
            outcome: serialized_name(&report.outcome),
            started_us: report.started_us,
            duration_us: report.duration_us,
            unchanged: report.unchanged as u64,
            entries: report.entries.len() as u64,
        };
        let new = NewReport { server: server.as_str(), head, json: &json };
        let id = self
            .store
            .insert_report_or_get_existing(&new, &self.audit_context(&principal.audit_actor()))
            .await?;
        self.get_report(principal, server, id).await
    }

    /// The heads of a server's reports before `before`, newest first.
    pub(crate) async fn list_reports_of_server(
        &self,
        principal: &Principal,
        server: &ServerName,
        before: Option<u64>,
        limit: u32,
    ) -> Result<wire::ReportPage, BackOfficeError> {
        let stored = self.store.read_report_summaries_of_server(server.as_str(), before, limit).await?;
        self.require_view_of_server_history(principal, server, !stored.is_empty()).await?;
        let full = stored.len() == limit as usize;
        let next = stored.last().filter(|_| full).map(|(last, _)| last.id);
        let items = stored
            .into_iter()
            .map(|(id, head)| {
                Ok(wire::ReportSummary {
                    id: id.id,
                    received_us: id.received_us,
                    generation: head.generation,
                    outcome: read::<RunOutcome>(id.id, &format!("\"{}\"", head.outcome))?,
                    started_us: head.started_us,
                    duration_us: head.duration_us,
                    unchanged: head.unchanged,
                    entries: head.entries,
                })
            })
            .collect::<Result<_, BackOfficeError>>()?;
        Ok(wire::ReportPage { items, next })
    }

    /// One report of a server, whole.
    pub(crate) async fn get_report(
        &self,
        principal: &Principal,
        server: &ServerName,
        id: u64,
    ) -> Result<wire::StoredReport, BackOfficeError> {
        let stored = self.store.read_report(server.as_str(), id).await?;
        self.require_view_of_server_history(principal, server, stored.is_some()).await?;
        let Some(stored) = stored else {
            return Err(BackOfficeError::Absent(format!(
                "there is no report {id} of {server}: it may be too old to be kept; \
                 `GET /api/v1/servers/{server}/reports` lists those there are"
            )));
        };
        let report = read(id, &stored.report)?;
        Ok(wire::StoredReport { id, received_us: stored.received_us, report })
    }
}

/// Truncates a long text and marks the truncation.
fn truncate_text(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        let bytes = text.len();
        text.truncate(end);
        text.push_str(&format!("… (cut off here, {bytes} bytes in all)"));
    }
}

/// The word a unit variant is written as.
fn serialized_name(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn read<T: DeserializeOwned>(id: u64, json: &str) -> Result<T, BackOfficeError> {
    serde_json::from_str(json)
        .map_err(|error| BackOfficeError::Broken(format!("report {id} cannot be read back: {error}")))
}
