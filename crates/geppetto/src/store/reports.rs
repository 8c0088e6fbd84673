//! Reports that servers sent.

use super::{AuditContext, Store, StoreError, audit, query_error, signed, unsigned};

/// So many reports of each server are kept in any case.
const KEPT_REPORTS: u32 = 500;
/// And so many of runs that failed, were blocked or were killed, however old.
const KEPT_FAILURES: u32 = 50;

/// A report as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Grows with each report.
    pub id: u64,
    /// When it came in, in microseconds since 1970-01-01 UTC.
    pub received_us: i64,
    /// JSON.
    pub report: String,
}

/// What is known of a report without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportHead {
    /// Of the node file the run was about.
    pub generation: u64,
    /// How the run ended.
    pub outcome: String,
    /// When it started, in microseconds since 1970-01-01 UTC; no two runs of a server share it.
    pub started_us: i64,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// How many things were right already.
    pub unchanged: u64,
    /// How many things were done or tried.
    pub entries: u64,
}

/// A stored report's number, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportId {
    /// Grows with each report.
    pub id: u64,
    /// When it came in, in microseconds since 1970-01-01 UTC.
    pub received_us: i64,
}

/// A report to be stored.
#[derive(Debug, Clone)]
pub struct NewReport<'a> {
    /// The server that reports.
    pub server: &'a str,
    /// The part of a report shown in lists.
    pub head: ReportHead,
    /// All of it.
    pub json: &'a str,
}

type HeadRow = (i64, i64, i64, String, i64, i64, i64, i64);

/// How a server is, as far as it is known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerStatus {
    /// The newest generation of its node file.
    pub generation: Option<u64>,
    /// The generation its last report is about.
    pub reported_generation: Option<u64>,
    /// How that run ended.
    pub outcome: Option<String>,
    /// When that report came in, in microseconds since 1970-01-01 UTC.
    pub reported_us: Option<i64>,
}

impl Store {
    /// How a server is: its newest node file and its last report. Two look-ups in an index.
    pub async fn server_status(&self, server: &str) -> Result<ServerStatus, StoreError> {
        let doing = "reading how a server is";
        let (generation,): (Option<i64>,) =
            sqlx::query_as("SELECT MAX(generation) FROM nodes WHERE server = $1")
                .bind(server)
                .fetch_one(&self.pool)
                .await
                .map_err(query_error(doing))?;
        let report: Option<(i64, i64, String)> = sqlx::query_as(
            "SELECT generation, received_us, outcome FROM reports WHERE server = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(server)
        .fetch_optional(&self.pool)
        .await
        .map_err(query_error(doing))?;
        let mut status = ServerStatus {
            generation: generation.map(|n| unsigned(n, "generation")).transpose()?,
            ..ServerStatus::default()
        };
        if let Some((generation, received_us, outcome)) = report {
            status.reported_generation = Some(unsigned(generation, "generation")?);
            status.reported_us = Some(received_us);
            status.outcome = Some(outcome);
        }
        Ok(status)
    }

    /// Stores a server's report and gives its number; of a run that was reported before, the number it has.
    ///
    /// The newest of each server are kept, and the newest of those that are no success.
    pub async fn add_report(
        &self,
        report: &NewReport<'_>,
        deed: &AuditContext<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "storing a report";
        let mut transaction = self.begin(doing).await?;
        let added: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO reports (server, received_us, generation, outcome, started_us, duration_us, unchanged,
                                  entries, report)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (server, started_us) DO NOTHING RETURNING id",
        )
        .bind(report.server)
        .bind(deed.at_us)
        .bind(signed(report.head.generation))
        .bind(&report.head.outcome)
        .bind(report.head.started_us)
        .bind(report.head.duration_us)
        .bind(signed(report.head.unchanged))
        .bind(signed(report.head.entries))
        .bind(report.json)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(query_error(doing))?;
        let Some((id,)) = added else {
            let (id,): (i64,) =
                sqlx::query_as("SELECT id FROM reports WHERE server = $1 AND started_us = $2")
                    .bind(report.server)
                    .bind(report.head.started_us)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(query_error(doing))?;
            return unsigned(id, "report");
        };
        sqlx::query(
            "DELETE FROM reports WHERE server = $1
             AND id NOT IN (SELECT id FROM reports WHERE server = $1 ORDER BY id DESC LIMIT $2)
             AND id NOT IN (SELECT id FROM reports WHERE server = $1
                            AND outcome NOT IN ('changed', 'unchanged') ORDER BY id DESC LIMIT $3)",
        )
        .bind(report.server)
        .bind(i64::from(KEPT_REPORTS))
        .bind(i64::from(KEPT_FAILURES))
        .execute(&mut *transaction)
        .await
        .map_err(query_error(doing))?;
        let detail = format!("generation {}, {}", report.head.generation, report.head.outcome);
        audit::record(&mut transaction, deed, "report", report.server, &detail).await?;
        transaction.commit().await.map_err(query_error(doing))?;
        unsigned(id, "report")
    }

    /// The heads of a server's reports before `before`, newest first.
    pub async fn reports(
        &self,
        server: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(ReportId, ReportHead)>, StoreError> {
        let rows: Vec<HeadRow> = sqlx::query_as(
            "SELECT id, received_us, generation, outcome, started_us, duration_us, unchanged, entries
             FROM reports WHERE server = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(server)
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading reports"))?;
        rows.into_iter()
            .map(|(id, received_us, generation, outcome, started_us, duration_us, unchanged, entries)| {
                let head = ReportHead {
                    generation: unsigned(generation, "generation")?,
                    outcome,
                    started_us,
                    duration_us,
                    unchanged: unsigned(unchanged, "count")?,
                    entries: unsigned(entries, "count")?,
                };
                Ok((ReportId { id: unsigned(id, "report")?, received_us }, head))
            })
            .collect()
    }

    /// One report of a server, whole.
    pub async fn report(&self, server: &str, id: u64) -> Result<Option<ReportRow>, StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT received_us, report FROM reports WHERE server = $1 AND id = $2")
                .bind(server)
                .bind(signed(id))
                .fetch_optional(&self.pool)
                .await
                .map_err(query_error("reading a report"))?;
        Ok(row.map(|(received_us, report)| ReportRow { id, received_us, report }))
    }
}
