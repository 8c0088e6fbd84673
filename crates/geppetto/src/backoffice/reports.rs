//! Reports of servers: stored as they come, read back page by page.

use model::{name::ServerName, report::Report, wire};

use super::{Office, OfficeError};
use crate::store::{Deed, StoredReport};

impl Office {
    /// Stores what a server reports.
    pub async fn add_report(
        &self,
        server: &ServerName,
        report: Report,
        actor: &str,
    ) -> Result<wire::StoredReport, OfficeError> {
        let unwritable =
            |error: serde_json::Error| OfficeError::Broken(format!("a report has no JSON form: {error}"));
        let json = serde_json::to_string(&report).map_err(unwritable)?;
        let outcome = serde_json::to_value(report.outcome).map_err(unwritable)?;
        let outcome = outcome.as_str().unwrap_or_default();
        let received_us = self.clock.now_us();
        let deed = Deed { at_us: received_us, actor };
        let id = self.store.add_report(server.as_str(), report.generation, outcome, &json, &deed).await?;
        Ok(wire::StoredReport { id, received_us, report })
    }

    /// A server's reports before `before`, newest first.
    pub async fn reports(
        &self,
        server: &ServerName,
        before: Option<u64>,
        limit: u32,
    ) -> Result<wire::Reports, OfficeError> {
        let stored = self.store.reports(server.as_str(), before, limit).await?;
        let full = stored.len() == limit as usize;
        let next = stored.last().filter(|_| full).map(|last| last.id);
        let items = stored.into_iter().map(wire_report).collect::<Result<_, _>>()?;
        Ok(wire::Reports { items, next })
    }
}

fn wire_report(stored: StoredReport) -> Result<wire::StoredReport, OfficeError> {
    let report = serde_json::from_str(&stored.report)
        .map_err(|error| OfficeError::Broken(format!("report {} cannot be read back: {error}", stored.id)))?;
    Ok(wire::StoredReport { id: stored.id, received_us: stored.received_us, report })
}
