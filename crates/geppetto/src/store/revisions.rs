//! Revisions: committed states of the estate, each of which can be read back whole.

use std::collections::BTreeMap;

use super::{AuditContext, Store, StoreError, audit, query_error, servers, signed, unsigned};

/// A committed state of the estate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Counted from 1.
    pub number: u64,
    /// When, in microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// Who committed it.
    pub author: String,
    /// Why.
    pub message: String,
}

/// The text of a role, group, environment or server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceText {
    /// Canonical YAML.
    pub text: String,
    /// JSON: the author and revision of each value.
    pub origins: String,
}

/// What a revision does to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceChange {
    /// `roles/web.yaml`
    pub path: String,
    /// What it becomes; `None` removes it.
    pub becomes: Option<PlaceText>,
}

type Row = (i64, i64, String, String);
type PlaceRow = (String, i64, String, String);

fn revision_row((number_, created_us, author, message): Row) -> Result<RevisionRow, StoreError> {
    Ok(RevisionRow { number: unsigned(number_, "revision")?, created_us, author, message })
}

/// The server whose file this is.
fn server_of_path(path: &str) -> Option<&str> {
    path.strip_prefix("servers/")?.strip_suffix(".yaml")
}

/// What the text of an object is sealed with.
fn seal_context(path: &str, since: i64) -> String {
    format!("{path} of revision {since}")
}

impl Store {
    /// The number of the newest revision; 0 before the first.
    pub async fn current_revision(&self) -> Result<u64, StoreError> {
        let (newest,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(number), 0) FROM revisions")
            .fetch_one(&self.pool)
            .await
            .map_err(query_error("reading the current revision"))?;
        unsigned(newest, "revision")
    }

    /// Revisions before `before`, newest first.
    pub async fn revisions(&self, before: Option<u64>, limit: u32) -> Result<Vec<RevisionRow>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, created_us, author, message FROM revisions
             WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading the revisions"))?;
        rows.into_iter().map(revision_row).collect()
    }

    /// The number of the newest revision, and all objects in it, by path. Reads nothing of the history.
    pub async fn current_places(&self) -> Result<(u64, BTreeMap<String, PlaceText>), StoreError> {
        let doing = "reading the newest revision";
        // One transaction sees one state, even when others commit.
        let mut transaction = self.pool.begin().await.map_err(query_error(doing))?;
        let (newest,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(number), 0) FROM revisions")
            .fetch_one(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        let rows: Vec<PlaceRow> =
            sqlx::query_as("SELECT path, since, text, origins FROM objects WHERE until IS NULL")
                .fetch_all(&mut *transaction)
                .await
                .map_err(query_error(doing))?;
        Ok((unsigned(newest, "revision")?, self.unseal_by_path(rows)?))
    }

    fn unseal_by_path(&self, rows: Vec<PlaceRow>) -> Result<BTreeMap<String, PlaceText>, StoreError> {
        rows.into_iter()
            .map(|(path, since, sealed, origins)| {
                let text = self.seal.open(&seal_context(&path, since), &sealed)?;
                Ok((path, PlaceText { text, origins }))
            })
            .collect()
    }

    /// The objects that were changed or removed after a revision: in which one last, and by whom.
    pub async fn places_changed_since(
        &self,
        revision: u64,
    ) -> Result<BTreeMap<String, (u64, String)>, StoreError> {
        let rows: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT path, changed, author FROM (
                 SELECT path, since AS changed FROM objects WHERE since > $1
                 UNION ALL SELECT path, until FROM objects WHERE until > $1
             ) AS changes JOIN revisions ON number = changed ORDER BY changed",
        )
        .bind(signed(revision))
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading what changed since a revision"))?;
        rows.into_iter()
            .map(|(path, changed, author)| Ok((path, (unsigned(changed, "revision")?, author))))
            .collect()
    }

    /// All objects as they were in a revision, by path.
    pub async fn places_of_revision(&self, revision: u64) -> Result<BTreeMap<String, PlaceText>, StoreError> {
        let rows: Vec<PlaceRow> = sqlx::query_as(
            "SELECT path, since, text, origins FROM objects WHERE since <= $1 AND (until IS NULL OR until > $1)",
        )
        .bind(signed(revision))
        .fetch_all(&self.pool)
        .await
        .map_err(query_error("reading a revision"))?;
        self.unseal_by_path(rows)
    }

    /// Commits a revision made from revision `base`, and gives its number. A server that is removed gets in no
    /// more.
    pub async fn commit_revision(
        &self,
        base: u64,
        changes: &[PlaceChange],
        message: &str,
        deed: &AuditContext<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "committing a revision";
        let mut transaction = self.begin(doing).await?;
        let (found,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(number), 0) FROM revisions")
            .fetch_one(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        let found = unsigned(found, "revision")?;
        if found != base {
            return Err(StoreError::Overtaken { base, found });
        }
        let next = base + 1;
        sqlx::query("INSERT INTO revisions (number, created_us, author, message) VALUES ($1, $2, $3, $4)")
            .bind(signed(next))
            .bind(deed.at_us)
            .bind(deed.actor)
            .bind(message)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        for change in changes {
            sqlx::query("UPDATE objects SET until = $1 WHERE path = $2 AND until IS NULL")
                .bind(signed(next))
                .bind(&change.path)
                .execute(&mut *transaction)
                .await
                .map_err(query_error(doing))?;
            let Some(object) = &change.becomes else {
                if let Some(server) = server_of_path(&change.path) {
                    servers::revoke(&mut transaction, server, deed.at_us).await?;
                }
                continue;
            };
            sqlx::query("INSERT INTO objects (path, since, text, origins) VALUES ($1, $2, $3, $4)")
                .bind(&change.path)
                .bind(signed(next))
                .bind(self.seal.seal(&seal_context(&change.path, signed(next)), &object.text)?)
                .bind(&object.origins)
                .execute(&mut *transaction)
                .await
                .map_err(query_error(doing))?;
        }
        let detail = format!("{} objects: {message}", changes.len());
        audit::record(&mut transaction, deed, "commit", &format!("revision {next}"), &detail).await?;
        transaction.commit().await.map_err(query_error(doing))?;
        Ok(next)
    }
}
