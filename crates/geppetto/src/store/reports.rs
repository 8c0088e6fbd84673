//! Reports that servers sent.

use std::collections::BTreeMap;

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, TimeAndActor, audit, signed, unsigned};

/// So many reports of each server are kept in any case, the newest.
const KEPT_REPORTS: u32 = 500;
/// And so many of runs that failed, were blocked or were killed, however old.
const KEPT_FAILURES: u32 = 50;

/// A report as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportRow {
    /// Grows with each report.
    pub(crate) id: u64,
    /// When it came in, in microseconds since 1970-01-01 UTC.
    pub(crate) received_us: i64,
    /// JSON.
    pub(crate) report: String,
}

/// What is known of a report without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportSummaryColumns {
    /// Of the node file the run was about.
    pub(crate) generation: u64,
    /// How the run ended.
    pub(crate) outcome: String,
    /// When it started, in microseconds since 1970-01-01 UTC; no two runs of a server share it.
    pub(crate) started_us: i64,
    /// How long it took, in microseconds.
    pub(crate) duration_us: i64,
    /// How many things were right already.
    pub(crate) unchanged: u64,
    /// How many things were done or tried.
    pub(crate) entries: u64,
}

/// A stored report's number, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportIdAndReceiptTime {
    /// Grows with each report.
    pub(crate) id: u64,
    /// When it came in, in microseconds since 1970-01-01 UTC.
    pub(crate) received_us: i64,
}

/// A report to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewReport<'a> {
    /// The server that reports.
    pub(crate) server: &'a str,
    /// The part of a report shown in lists.
    pub(crate) head: ReportSummaryColumns,
    /// All of it.
    pub(crate) json: &'a str,
}

type HeadRow = (i64, i64, i64, String, i64, i64, i64, i64);

/// How a server is, as far as it is known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerStatusRow {
    /// The newest generation of its node file.
    pub(crate) generation: Option<u64>,
    /// The generation its last report is about.
    pub(crate) reported_generation: Option<u64>,
    /// How that run ended.
    pub(crate) outcome: Option<String>,
    /// When that report came in, in microseconds since 1970-01-01 UTC.
    pub(crate) reported_us: Option<i64>,
    /// How many of its reports were about runs that changed nothing.
    pub(crate) unchanged_reports: u64,
}

type StatusRow = (String, Option<i64>, Option<i64>, Option<String>, Option<i64>, i64);

/// The outcome of a run that changed nothing.
const UNCHANGED: &str = "unchanged";

impl Store {
    /// How the servers from `first` to `last` are, in the order of their names: newest node file and last report.
    pub(crate) async fn read_server_statuses_in_range(
        &self,
        first: &str,
        last: &str,
    ) -> Result<BTreeMap<String, ServerStatusRow>, StoreError> {
        let doing = "reading how servers are";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<StatusRow> = fetch_all!(
            connection,
            doing,
            "SELECT server, generation, reported_generation, outcome, reported_us, unchanged_reports
             FROM server_states WHERE server >= $1 AND server <= $2",
            first,
            last,
        )?;
        let number = |column: Option<i64>| column.map(|number| unsigned(number, "generation")).transpose();
        rows.into_iter()
            .map(|(server, generation, reported_generation, outcome, reported_us, unchanged)| {
                let (generation, reported_generation) = (number(generation)?, number(reported_generation)?);
                let unchanged_reports = unsigned(unchanged, "count of reports")?;
                let status = ServerStatusRow {
                    generation,
                    reported_generation,
                    outcome,
                    reported_us,
                    unchanged_reports,
                };
                Ok((server, status))
            })
            .collect()
    }

    /// Stores a server's report and gives its number; of a run that was reported before, the number it has. A run that
    /// changed nothing is counted; every other is in the audit log.
    pub(crate) async fn insert_report_or_get_existing(
        &self,
        report: &NewReport<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "storing a report";
        let mut transaction = self.begin(doing).await?;
        let added: Option<(i64,)> = fetch_optional!(
            transaction,
            doing,
            "INSERT INTO reports (server, received_us, generation, outcome, started_us, duration_us, unchanged,
                                  entries, report)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (server, started_us) DO NOTHING RETURNING id",
            report.server,
            context.at_us,
            signed(report.head.generation),
            &report.head.outcome,
            report.head.started_us,
            report.head.duration_us,
            signed(report.head.unchanged),
            signed(report.head.entries),
            report.json,
        )?;
        let Some((id,)) = added else {
            let (id,): (i64,) = fetch_one!(
                transaction,
                doing,
                "SELECT id FROM reports WHERE server = $1 AND started_us = $2",
                report.server,
                report.head.started_us,
            )?;
            return unsigned(id, "report");
        };
        let is_unchanged = report.head.outcome == UNCHANGED;
        execute!(
            transaction,
            doing,
            "INSERT INTO server_states (server, reported_generation, outcome, reported_us, unchanged_reports)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (server) DO UPDATE SET reported_generation = excluded.reported_generation,
                 outcome = excluded.outcome, reported_us = excluded.reported_us,
                 unchanged_reports = server_states.unchanged_reports + excluded.unchanged_reports",
            report.server,
            signed(report.head.generation),
            &report.head.outcome,
            context.at_us,
            i64::from(is_unchanged),
        )?;
        if !is_unchanged {
            let detail = format!("generation {}, {}", report.head.generation, report.head.outcome);
            audit::insert_audit_entry(&mut transaction, context, "report", report.server, &detail).await?;
        }
        let id = unsigned(id, "report")?;
        let (server, outcome) = (report.server.to_owned(), report.head.outcome.clone());
        transaction.announce_on_commit(ControlPlaneEvent::ServerReported { server, report: id, outcome });
        transaction.commit_and_announce_events(doing).await?;
        Ok(id)
    }

    /// Removes the reports of a server that are neither among the newest nor among the newest of those that are
    /// no success. Gives how many.
    pub(crate) async fn prune_reports_of_server(&self, server: &str) -> Result<u64, StoreError> {
        let doing = "removing old reports";
        let mut transaction = self.begin(doing).await?;
        let removed = execute!(
            transaction,
            doing,
            "DELETE FROM reports WHERE server = $1
             AND id NOT IN (SELECT id FROM reports WHERE server = $1 ORDER BY id DESC LIMIT $2)
             AND id NOT IN (SELECT id FROM reports WHERE server = $1
                            AND outcome NOT IN ('changed', 'unchanged') ORDER BY id DESC LIMIT $3)",
            server,
            i64::from(KEPT_REPORTS),
            i64::from(KEPT_FAILURES),
        )?;
        transaction.commit_and_announce_events(doing).await?;
        Ok(removed)
    }

    /// The servers that have more reports than are kept in any case.
    pub(crate) async fn read_servers_with_many_reports(&self) -> Result<Vec<String>, StoreError> {
        let doing = "looking for old reports";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String,)> = fetch_all!(
            connection,
            doing,
            "SELECT server FROM reports GROUP BY server HAVING COUNT(*) > $1 ORDER BY server",
            i64::from(KEPT_REPORTS),
        )?;
        Ok(rows.into_iter().map(|(server,)| server).collect())
    }

    /// The heads of a server's reports before `before`, newest first.
    pub(crate) async fn read_report_summaries_of_server(
        &self,
        server: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(ReportIdAndReceiptTime, ReportSummaryColumns)>, StoreError> {
        let doing = "reading reports";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<HeadRow> = fetch_all!(
            connection,
            doing,
            "SELECT id, received_us, generation, outcome, started_us, duration_us, unchanged, entries
             FROM reports WHERE server = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
            server,
            before.map_or(i64::MAX, signed),
            i64::from(limit),
        )?;
        rows.into_iter()
            .map(|(id, received_us, generation, outcome, started_us, duration_us, unchanged, entries)| {
                let head = ReportSummaryColumns {
                    generation: unsigned(generation, "generation")?,
                    outcome,
                    started_us,
                    duration_us,
                    unchanged: unsigned(unchanged, "count")?,
                    entries: unsigned(entries, "count")?,
                };
                Ok((ReportIdAndReceiptTime { id: unsigned(id, "report")?, received_us }, head))
            })
            .collect()
    }

    /// One report of a server, whole.
    pub(crate) async fn read_report(&self, server: &str, id: u64) -> Result<Option<ReportRow>, StoreError> {
        let doing = "reading a report";
        let mut connection = self.connection(doing).await?;
        let row: Option<(i64, String)> = fetch_optional!(
            connection,
            doing,
            "SELECT received_us, report FROM reports WHERE server = $1 AND id = $2",
            server,
            signed(id),
        )?;
        Ok(row.map(|(received_us, report)| ReportRow { id, received_us, report }))
    }
}
