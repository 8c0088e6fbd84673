//! Node files: every generation ever made of every server.

use std::collections::BTreeSet;

use super::{AuditContext, Store, StoreError, audit, query_error, signed, unsigned};

/// A node file as it is stored and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNode {
    /// Counted from 1, for each server.
    pub generation: u64,
    /// Of its content without the number.
    pub digest: String,
    /// The signed text.
    pub text: String,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub created_us: i64,
}

/// A node file to be stored.
#[derive(Debug, Clone)]
pub struct NewNode<'a> {
    /// The server.
    pub server: &'a str,
    /// Counted from 1, for each server.
    pub generation: u64,
    /// Of its content without the number.
    pub digest: &'a str,
    /// The signed text.
    pub text: &'a str,
    /// The revision it was resolved from.
    pub revision: u64,
    /// The component versions it needs.
    pub components: &'a [(String, String)],
}

type Row = (i64, String, String, i64);

/// What the text of a node file is sealed with, and its digest.
fn seal_context(server: &str, generation: i64) -> (String, String) {
    let text = format!("generation {generation} of {server}");
    let digest = format!("the digest of {text}");
    (text, digest)
}

impl Store {
    fn stored_node(&self, server: &str, row: Row) -> Result<StoredNode, StoreError> {
        let (generation, digest, text, created_us) = row;
        let (of_text, of_digest) = seal_context(server, generation);
        Ok(StoredNode {
            generation: unsigned(generation, "generation")?,
            digest: self.seal.open(&of_digest, &digest)?,
            text: self.seal.open(&of_text, &text)?,
            created_us,
        })
    }

    /// The newest node file of a server.
    pub async fn latest_node(&self, server: &str) -> Result<Option<StoredNode>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT generation, digest, text, created_us FROM nodes
             WHERE server = $1 ORDER BY generation DESC LIMIT 1",
        )
        .bind(server)
        .fetch_optional(&self.pool)
        .await
        .map_err(query_error("reading a node file"))?;
        row.map(|row| self.stored_node(server, row)).transpose()
    }

    /// One generation of a server's node file.
    pub async fn node(&self, server: &str, generation: u64) -> Result<Option<StoredNode>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT generation, digest, text, created_us FROM nodes WHERE server = $1 AND generation = $2",
        )
        .bind(server)
        .bind(signed(generation))
        .fetch_optional(&self.pool)
        .await
        .map_err(query_error("reading a node file"))?;
        row.map(|row| self.stored_node(server, row)).transpose()
    }

    /// Stores a generation; `false`, and nothing is stored, if that number exists already or somebody committed
    /// a newer revision than the one it was resolved from.
    ///
    /// Both are looked at under the write lock. The number is the one after the latest that was read *before* the
    /// content was made, so that a slow request can never put an older content above a newer one.
    pub async fn add_node(&self, node: &NewNode<'_>, deed: &AuditContext<'_>) -> Result<bool, StoreError> {
        let doing = "storing a node file";
        let (of_text, of_digest) = seal_context(node.server, signed(node.generation));
        let mut transaction = self.begin(doing).await?;
        let added = sqlx::query(
            "INSERT INTO nodes (server, generation, digest, text, revision, created_us)
             SELECT $1, CAST($2 AS BIGINT), $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT)
             WHERE CAST($5 AS BIGINT) = (SELECT MAX(number) FROM revisions)
             ON CONFLICT DO NOTHING",
        )
        .bind(node.server)
        .bind(signed(node.generation))
        .bind(self.seal.seal(&of_digest, node.digest)?)
        .bind(self.seal.seal(&of_text, node.text)?)
        .bind(signed(node.revision))
        .bind(deed.at_us)
        .execute(&mut *transaction)
        .await
        .map_err(query_error(doing))?
        .rows_affected();
        if added == 0 {
            return Ok(false);
        }
        for (name, version) in node.components {
            sqlx::query(
                "INSERT INTO node_components (server, generation, name, version) VALUES ($1, $2, $3, $4)",
            )
            .bind(node.server)
            .bind(signed(node.generation))
            .bind(name)
            .bind(version)
            .execute(&mut *transaction)
            .await
            .map_err(query_error(doing))?;
        }
        let detail = format!("generation {} from revision {}", node.generation, node.revision);
        audit::record(&mut transaction, deed, "generate-node", node.server, &detail).await?;
        transaction.commit().await.map_err(query_error(doing))?;
        Ok(true)
    }

    /// Every component version some kept node file needs: retention must keep these.
    pub async fn needed_versions(&self) -> Result<BTreeSet<(String, String)>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT DISTINCT name, version FROM node_components")
                .fetch_all(&self.pool)
                .await
                .map_err(query_error("reading which versions node files need"))?;
        Ok(rows.into_iter().collect())
    }
}
