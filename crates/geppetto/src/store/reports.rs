//! Reports: what servers said they did.

use super::{Deed, Store, StoreError, audit, big, number, while_};

/// A report as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReport {
    /// Grows with each report.
    pub id: u64,
    /// When it came in, in microseconds since 1970-01-01 UTC.
    pub received_us: i64,
    /// JSON.
    pub report: String,
}

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
                .map_err(while_(doing))?;
        let report: Option<(i64, i64, String)> = sqlx::query_as(
            "SELECT generation, received_us, outcome FROM reports WHERE server = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(server)
        .fetch_optional(&self.pool)
        .await
        .map_err(while_(doing))?;
        let mut status = ServerStatus {
            generation: generation.map(|n| number(n, "generation")).transpose()?,
            ..ServerStatus::default()
        };
        if let Some((generation, received_us, outcome)) = report {
            status.reported_generation = Some(number(generation, "generation")?);
            status.reported_us = Some(received_us);
            status.outcome = Some(outcome);
        }
        Ok(status)
    }

    /// Stores a server's report and gives its number.
    pub async fn add_report(
        &self,
        server: &str,
        generation: u64,
        outcome: &str,
        report: &str,
        deed: &Deed<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "storing a report";
        let mut transaction = self.begin(doing).await?;
        let (id,): (i64,) = sqlx::query_as(
            "INSERT INTO reports (server, received_us, generation, outcome, report)
             VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(server)
        .bind(deed.at_us)
        .bind(big(generation))
        .bind(outcome)
        .bind(report)
        .fetch_one(&mut *transaction)
        .await
        .map_err(while_(doing))?;
        let detail = format!("generation {generation}, {outcome}");
        audit::record(&mut transaction, deed, "report", server, &detail).await?;
        transaction.commit().await.map_err(while_(doing))?;
        number(id, "report")
    }

    /// A server's reports before `before`, newest first.
    pub async fn reports(
        &self,
        server: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<StoredReport>, StoreError> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT id, received_us, report FROM reports
             WHERE server = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(server)
        .bind(before.map_or(i64::MAX, big))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(while_("reading reports"))?;
        rows.into_iter()
            .map(|(id, received_us, report)| {
                Ok(StoredReport { id: number(id, "report")?, received_us, report })
            })
            .collect()
    }
}
