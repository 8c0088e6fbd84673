//! The audit log: who wrote what, when. Rows are only ever added; triggers in the database see to it.

use model::wire::ControlPlaneEvent;

use super::{Store, StoreError, WriteTransaction, signed, unsigned};

/// When a write happens and who asked for it, for the audit log.
#[derive(Debug, Clone)]
pub(crate) struct TimeAndActor<'a> {
    /// When, in microseconds since 1970-01-01 UTC.
    pub(crate) at_us: i64,
    /// Who: `token ci`, `server web-01`, `local administrator (uid 0)`.
    pub(crate) actor: &'a str,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRow {
    /// Its number.
    pub(crate) id: u64,
    /// When, in microseconds since 1970-01-01 UTC.
    pub(crate) at_us: i64,
    /// Who.
    pub(crate) actor: String,
    /// What was done: `publish`.
    pub(crate) action: String,
    /// To what.
    pub(crate) subject: String,
    /// The rest of the sentence.
    pub(crate) detail: String,
}

/// The longest detail of an entry, in characters.
const DETAIL: usize = 2000;

/// Adds an entry within the transaction of the write it is about.
pub(super) async fn insert_audit_entry(
    transaction: &mut WriteTransaction,
    context: &TimeAndActor<'_>,
    action: &str,
    subject: &str,
    detail: &str,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "writing the audit log",
        "INSERT INTO audit (at_us, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
        context.at_us,
        context.actor,
        action,
        truncate_text(subject),
        truncate_text(detail),
    )?;
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
    /// it is done or refused; `event` is then announced.
    pub(crate) async fn insert_repository_audit_entry(
        &self,
        context: &TimeAndActor<'_>,
        action: &str,
        subject: &str,
        detail: &str,
        event: Option<ControlPlaneEvent>,
    ) -> Result<(), StoreError> {
        let doing = "writing the audit log";
        let mut transaction = self.begin(doing).await?;
        insert_audit_entry(&mut transaction, context, action, subject, detail).await?;
        event.into_iter().for_each(|event| transaction.announce_on_commit(event));
        transaction.commit_and_announce_events(doing).await
    }

    /// The newest entries before `before`, newest first.
    pub(crate) async fn read_audit_entries(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let doing = "reading the audit log";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(i64, i64, String, String, String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT id, at_us, actor, action, subject, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            before.map_or(i64::MAX, signed),
            i64::from(limit),
        )?;
        rows.into_iter()
            .map(|(id, at_us, actor, action, subject, detail)| {
                Ok(AuditRow { id: unsigned(id, "audit entry")?, at_us, actor, action, subject, detail })
            })
            .collect()
    }
}
