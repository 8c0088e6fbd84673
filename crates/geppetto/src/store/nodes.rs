//! Node files: every generation ever made of every server.

use std::collections::BTreeSet;

use model::wire::ControlPlaneEvent;

use super::{NewResolutionRow, Store, StoreError, TimeAndActor, audit, resolutions, signed, unsigned};

/// A node file as it is stored and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredNodeFile {
    /// Counted from 1, for each server.
    pub(crate) generation: u64,
    /// The epoch it was made in: [`Store::epoch`].
    pub(crate) epoch: u64,
    /// Of its content without the number.
    pub(crate) digest: String,
    /// The signed text.
    pub(crate) text: String,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
}

/// A node file to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewNodeFile<'a> {
    /// The server.
    pub(crate) server: &'a str,
    /// Counted from 1, for each server.
    pub(crate) generation: u64,
    /// Of its content without the number.
    pub(crate) digest: &'a str,
    /// The signed text.
    pub(crate) text: &'a str,
    /// The revision it was resolved from.
    pub(crate) revision: u64,
    /// The component versions it needs.
    pub(crate) components: &'a [(String, String)],
    /// The resolution it was made of.
    pub(crate) resolution: NewResolutionRow,
}

type Row = (i64, i64, String, String, i64);

/// What the text of a node file is sealed with, and its digest.
fn seal_context(server: &str, generation: i64) -> (String, String) {
    let text = format!("generation {generation} of {server}");
    let digest = format!("the digest of {text}");
    (text, digest)
}

impl Store {
    fn stored_node(&self, server: &str, row: Row) -> Result<StoredNodeFile, StoreError> {
        let (generation, epoch, digest, text, created_us) = row;
        let (of_text, of_digest) = seal_context(server, generation);
        Ok(StoredNodeFile {
            generation: unsigned(generation, "generation")?,
            epoch: unsigned(epoch, "epoch")?,
            digest: self.seal.open_sealed_text(&of_digest, &digest)?,
            text: self.seal.open_sealed_text(&of_text, &text)?,
            created_us,
        })
    }

    /// The newest node file of a server.
    pub(crate) async fn read_latest_node_file(
        &self,
        server: &str,
    ) -> Result<Option<StoredNodeFile>, StoreError> {
        let doing = "reading a node file";
        let mut connection = self.connection(doing).await?;
        let row: Option<Row> = fetch_optional!(
            connection,
            doing,
            "SELECT generation, epoch, digest, text, created_us FROM nodes
             WHERE server = $1 ORDER BY generation DESC LIMIT 1",
            server,
        )?;
        row.map(|row| self.stored_node(server, row)).transpose()
    }

    /// The epoch, the number and the content digest of the newest node file of a server.
    pub(crate) async fn read_latest_epoch_generation_and_digest(
        &self,
        server: &str,
    ) -> Result<Option<(u64, u64, String)>, StoreError> {
        let doing = "reading a node file's number";
        let mut connection = self.connection(doing).await?;
        let row: Option<(i64, i64, String)> = fetch_optional!(
            connection,
            doing,
            "SELECT epoch, generation, digest FROM nodes WHERE server = $1 ORDER BY generation DESC LIMIT 1",
            server,
        )?;
        let Some((epoch, generation, digest)) = row else { return Ok(None) };
        let (_, of_digest) = seal_context(server, generation);
        let digest = self.seal.open_sealed_text(&of_digest, &digest)?;
        Ok(Some((unsigned(epoch, "epoch")?, unsigned(generation, "generation")?, digest)))
    }

    /// One generation of a server's node file.
    pub(crate) async fn read_node_file_of_generation(
        &self,
        server: &str,
        generation: u64,
    ) -> Result<Option<StoredNodeFile>, StoreError> {
        let doing = "reading a node file";
        let mut connection = self.connection(doing).await?;
        let row: Option<Row> = fetch_optional!(
            connection,
            doing,
            "SELECT generation, epoch, digest, text, created_us FROM nodes WHERE server = $1 AND generation = $2",
            server,
            signed(generation),
        )?;
        row.map(|row| self.stored_node(server, row)).transpose()
    }

    /// Stores a generation with its resolution; `false`, and nothing is stored, if that number exists already or a newer revision
    /// than the one it was resolved from is committed.
    ///
    /// The number is the one after the latest that was read *before* the content was made, and it is a key: a slow
    /// request can never put an older content above a newer one. The look at the revision only spares a
    /// generation that would be old already.
    pub(crate) async fn insert_node_file_unless_outdated(
        &self,
        node: &NewNodeFile<'_>,
        context: &TimeAndActor<'_>,
    ) -> Result<bool, StoreError> {
        let doing = "storing a node file";
        let (of_text, of_digest) = seal_context(node.server, signed(node.generation));
        let mut transaction = self.begin(doing).await?;
        let added = execute!(
            transaction,
            doing,
            "INSERT INTO nodes (server, generation, digest, text, components, revision, created_us, epoch)
             SELECT $1, CAST($2 AS BIGINT), $3, $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS BIGINT)
             WHERE CAST($6 AS BIGINT) = (SELECT MAX(number) FROM revisions)
             ON CONFLICT DO NOTHING",
            node.server,
            signed(node.generation),
            self.seal.seal_text(&of_digest, node.digest)?,
            self.seal.compress_and_seal_text(&of_text, node.text)?,
            serde_json::to_string(node.components).unwrap_or_default(),
            signed(node.revision),
            context.at_us,
            signed(self.epoch),
        )?;
        if added == 0 {
            return Ok(false);
        }
        execute!(
            transaction,
            doing,
            "INSERT INTO server_states (server, generation) VALUES ($1, $2)
             ON CONFLICT (server) DO UPDATE SET generation = excluded.generation",
            node.server,
            signed(node.generation),
        )?;
        resolutions::write_resolution_digests_and_reads(
            &mut transaction,
            &self.seal,
            node.revision,
            std::slice::from_ref(&node.resolution),
            context.at_us,
        )
        .await?;
        let detail = format!("generation {} from revision {}", node.generation, node.revision);
        audit::insert_audit_entry(&mut transaction, context, "generate-node", node.server, &detail).await?;
        let server = node.server.to_owned();
        transaction
            .announce_on_commit(ControlPlaneEvent::NodeGenerated { server, generation: node.generation });
        transaction.commit_and_announce_events(doing).await?;
        Ok(true)
    }

    /// Every component version some kept node file needs: retention must keep these.
    pub(crate) async fn read_component_versions_of_node_files(
        &self,
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        let doing = "reading which versions node files need";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String,)> = fetch_all!(connection, doing, "SELECT DISTINCT components FROM nodes")?;
        let mut versions = BTreeSet::new();
        for (text,) in rows {
            let read: Vec<(String, String)> = serde_json::from_str(&text)
                .map_err(|_| StoreError::Corrupt("which versions a node file needs".to_owned()))?;
            versions.extend(read);
        }
        Ok(versions)
    }
}
