//! Resolutions: what each server's resolution read and came to.

use std::collections::BTreeMap;

use model::name::ServerName;
use model::resolve::ResolutionReads;

use super::{
    PATHS_PER_STATEMENT, SealingKey, Store, StoreError, WriteTransaction, pad_paths_to_statement, signed,
    unsigned,
};

/// The resolution of a server, to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewResolutionRow {
    /// The server.
    pub(crate) server: ServerName,
    /// The digest of the node's content; empty if there is no node.
    pub(crate) digest: String,
    /// What it read.
    pub(crate) reads: ResolutionReads,
    /// A digest of what the channel offered of the components it read.
    pub(crate) offers: String,
}

/// The resolution of a server as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredResolutionRow {
    /// The revision it was resolved from.
    pub(crate) revision: u64,
    /// The digest of the node's content; empty if there is no node.
    pub(crate) digest: String,
    /// What it read.
    pub(crate) reads: ResolutionReads,
    /// A digest of what the channel offered of the components it read.
    pub(crate) offers: String,
    /// Whether a place that it read changed since.
    pub(crate) is_outdated: bool,
}

/// What the digest of a resolution is sealed with.
fn seal_context(server: &str) -> String {
    format!("the digest of the resolution of {server}")
}

fn read_reads(server: &str, text: &str) -> Result<ResolutionReads, StoreError> {
    serde_json::from_str(text)
        .map_err(|_| StoreError::Corrupt(format!("what the resolution of {server} read")))
}

/// Writes resolutions from revision `revision` over earlier ones.
pub(super) async fn write_resolution_digests_and_reads(
    transaction: &mut WriteTransaction,
    seal: &SealingKey,
    revision: u64,
    resolutions: &[NewResolutionRow],
    at_us: i64,
) -> Result<(), StoreError> {
    let doing = "storing a resolution";
    for row in resolutions {
        let server = row.server.as_str();
        execute!(
            transaction,
            doing,
            "INSERT INTO resolutions (server, revision, digest, reads, offers, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (server) DO UPDATE SET revision = excluded.revision, digest = excluded.digest,
                 reads = excluded.reads, offers = excluded.offers, updated_us = excluded.updated_us
             WHERE resolutions.revision <= excluded.revision",
            server,
            signed(revision),
            seal.seal_text(&seal_context(server), &row.digest)?,
            serde_json::to_string(&row.reads).unwrap_or_default(),
            &row.offers,
            at_us,
        )?;
    }
    Ok(())
}

/// Lets the resolutions with selections of revision `base` hold for revision `next` too: those that it reaches were
/// written before. Selections depend on all servers, so only such a row says that none of them matters.
pub(super) async fn carry_selecting_resolutions_to_revision(
    transaction: &mut WriteTransaction,
    base: u64,
    next: u64,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "storing a resolution",
        "UPDATE resolutions SET revision = $1 WHERE revision = $2 AND reads LIKE '%\"selections\":%'",
        signed(next),
        signed(base),
    )?;
    Ok(())
}

impl Store {
    /// Stores the resolution of a server from revision `revision`, unless one of a newer revision is there.
    pub(crate) async fn store_resolution_unless_newer(
        &self,
        revision: u64,
        row: &NewResolutionRow,
        at_us: i64,
    ) -> Result<(), StoreError> {
        let doing = "storing a resolution";
        let mut transaction = self.begin(doing).await?;
        write_resolution_digests_and_reads(
            &mut transaction,
            &self.seal,
            revision,
            std::slice::from_ref(row),
            at_us,
        )
        .await?;
        transaction.commit_and_announce_events(doing).await
    }

    /// The stored resolution of a server. Looks only at the places that it read, whatever else there is.
    pub(crate) async fn read_resolution_without_node(
        &self,
        server: &str,
    ) -> Result<Option<StoredResolutionRow>, StoreError> {
        let doing = "reading a resolution";
        let mut connection = self.connection(doing).await?;
        let row: Option<(i64, String, String, String)> = fetch_optional!(
            connection,
            doing,
            "SELECT revision, digest, reads, offers FROM resolutions WHERE server = $1",
            server,
        )?;
        let Some((revision, digest, reads, offers)) = row else { return Ok(None) };
        let reads = read_reads(server, &reads)?;
        let paths: Vec<String> =
            reads.places.iter().filter_map(model::format::estate::document_path_of_place).collect();
        let mut is_outdated = false;
        for chunk in paths.chunks(PATHS_PER_STATEMENT) {
            let [a, b, c, d, e, f, g, h] = pad_paths_to_statement(chunk);
            let (changed,): (i64,) = fetch_one!(
                connection,
                doing,
                "SELECT COUNT(*) FROM places
                 WHERE path IN ($1, $2, $3, $4, $5, $6, $7, $8) AND (since > $9 OR until > $10)",
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
                revision,
                revision,
            )?;
            if changed > 0 {
                is_outdated = true;
                break;
            }
        }
        Ok(Some(StoredResolutionRow {
            revision: unsigned(revision, "revision")?,
            digest: self.seal.open_sealed_text(&seal_context(server), &digest)?,
            reads,
            offers,
            is_outdated,
        }))
    }

    /// What the resolutions read that were written at or after a time, by server.
    pub(crate) async fn read_resolution_reads_updated_since(
        &self,
        since_us: i64,
    ) -> Result<BTreeMap<ServerName, ResolutionReads>, StoreError> {
        let doing = "reading what resolutions read";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String, String)> = fetch_all!(
            connection,
            doing,
            "SELECT server, reads FROM resolutions WHERE updated_us >= $1",
            since_us,
        )?;
        let read = |(server, reads): (String, String)| {
            let name = ServerName::new(&server)
                .map_err(|_| StoreError::Corrupt(format!("the server name `{server}`")))?;
            Ok((name, read_reads(&server, &reads)?))
        };
        rows.into_iter().map(read).collect()
    }
}
