//! The audit log: who wrote what, when. Rows are only ever added; triggers in the database see to it.

use sqlx::{Sqlite, Transaction};

use super::{Store, StoreError, query_error, signed, unsigned};

/// A write, as the audit log records it.
#[derive(Debug, Clone)]
pub struct AuditContext<'a> {
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// Who: `token ci`, `server web-01`, `local user root`.
    pub actor: &'a str,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub id: u64,
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// What was done: `publish`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest of the sentence.
    pub detail: String,
}

/// The longest detail of an entry, in characters.
const DETAIL: usize = 2000;

/// Adds an entry within the transaction of the write it is about.
pub(super) async fn record(
    transaction: &mut Transaction<'static, Sqlite>,
    deed: &AuditContext<'_>,
    action: &str,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit (at_us, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)")
        .bind(deed.at_us)
        .bind(deed.actor)
        .bind(action)
        .bind(truncate_text(subject))
        .bind(truncate_text(detail))
        .execute(&mut **transaction)
        .await
        .map_err(query_error("writing the audit log"))?;
    Ok(())
}

/// A text of bounded length, for a log that never shrinks.
fn truncate_text(text: &str) -> String {
    match text.char_indices().nth(DETAIL) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

impl Store {
    /// Records a write that happens outside of the database, in the repository's folder.
    ///
    /// Once before it is tried, so that nothing happens unseen when the machine stops in between, and once when
    /// it is done or refused.
    pub async fn record(
        &self,
        deed: &AuditContext<'_>,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let doing = "writing the audit log";
        let mut transaction = self.begin(doing).await?;
        record(&mut transaction, deed, action, subject, detail).await?;
        transaction.commit().await.map_err(query_error(doing))
    }

    /// The newest entries before `before`, newest first.
    pub async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let rows: Vec<(i64, i64, String, String, String, String)> = sqlx::query_as(
            "SELECT id, at_us, actor, action, subject, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading the audit log"))?;
        rows.into_iter()
            .map(|(id, at_us, actor, action, subject, detail)| {
                Ok(AuditRow { id: unsigned(id, "audit entry")?, at_us, actor, action, subject, detail })
            })
            .collect()
    }
}
