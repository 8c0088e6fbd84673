//! Revisions: committed states of the estate, each of which can be read back whole.

use std::collections::BTreeMap;

use model::wire::ControlPlaneEvent;

use super::{
    NewResolutionRow, PATHS_PER_STATEMENT, Store, StoreError, TimeAndActor, audit, is_taken,
    pad_paths_to_statement, query_error, resolutions, server_credentials, signed, unsigned,
};

/// A committed state of the estate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevisionRow {
    /// Counted from 1.
    pub(crate) number: u64,
    /// When, in microseconds since 1970-01-01 UTC.
    pub(crate) created_us: i64,
    /// Who committed it.
    pub(crate) author: String,
    /// Why.
    pub(crate) message: String,
}

/// The text of a role, group, environment or server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceTextAndOriginsRow {
    /// Canonical YAML.
    pub(crate) text: String,
    /// JSON: the author and revision of each value.
    pub(crate) origins: String,
}

/// What a revision does to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceChange {
    /// `roles/web.yaml`
    pub(crate) path: String,
    /// What it becomes; `None` removes it.
    pub(crate) becomes: Option<PlaceTextAndOriginsRow>,
}

type Row = (i64, i64, String, String);
type PlaceRow = (String, i64, String, String);
/// A place beside the number of the newest revision: of an empty estate there is only the number.
type CurrentRow = (i64, Option<String>, Option<i64>, Option<String>, Option<String>);

fn revision_row((number_, created_us, author, message): Row) -> Result<RevisionRow, StoreError> {
    Ok(RevisionRow { number: unsigned(number_, "revision")?, created_us, author, message })
}

/// The server whose file this is.
fn server_of_path(path: &str) -> Option<&str> {
    path.strip_prefix("servers/")?.strip_suffix(".yaml")
}

/// What the text of a place is sealed with.
fn seal_context(path: &str, since: i64) -> String {
    format!("{path} of revision {since}")
}

impl Store {
    /// The number of the newest revision; 0 before the first.
    pub(crate) async fn read_current_revision_number(&self) -> Result<u64, StoreError> {
        let doing = "reading the current revision";
        let mut connection = self.connection(doing).await?;
        let (newest,): (i64,) =
            fetch_one!(connection, doing, "SELECT COALESCE(MAX(number), 0) FROM revisions")?;
        unsigned(newest, "revision")
    }

    /// Revisions before `before`, newest first.
    pub(crate) async fn read_revisions(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<RevisionRow>, StoreError> {
        let doing = "reading the revisions";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<Row> = fetch_all!(
            connection,
            doing,
            "SELECT number, created_us, author, message FROM revisions
             WHERE number < $1 ORDER BY number DESC LIMIT $2",
            before.map_or(i64::MAX, signed),
            i64::from(limit),
        )?;
        rows.into_iter().map(revision_row).collect()
    }

    /// The number of the newest revision, and all places in it, by path. Reads nothing of the history.
    pub(crate) async fn read_current_places(
        &self,
    ) -> Result<(u64, BTreeMap<String, PlaceTextAndOriginsRow>), StoreError> {
        let doing = "reading the newest revision";
        let mut connection = self.connection(doing).await?;
        // One statement sees one state, even when others commit.
        let rows: Vec<CurrentRow> = fetch_all!(
            connection,
            doing,
            "SELECT newest.number, path, since, text, origins
             FROM (SELECT COALESCE(MAX(number), 0) AS number FROM revisions) AS newest
             LEFT JOIN places ON until IS NULL",
        )?;
        self.revision_and_unsealed_places(rows)
    }

    fn revision_and_unsealed_places(
        &self,
        rows: Vec<CurrentRow>,
    ) -> Result<(u64, BTreeMap<String, PlaceTextAndOriginsRow>), StoreError> {
        let newest = rows.first().map_or(0, |(newest, ..)| *newest);
        let places = rows
            .into_iter()
            .filter_map(|(_, path, since, text, origins)| Some((path?, since?, text?, origins?)))
            .collect();
        Ok((unsigned(newest, "revision")?, self.unseal_by_path(places)?))
    }

    fn unseal_by_path(
        &self,
        rows: Vec<PlaceRow>,
    ) -> Result<BTreeMap<String, PlaceTextAndOriginsRow>, StoreError> {
        rows.into_iter()
            .map(|(path, since, sealed, origins)| {
                let text = self.seal.open_sealed_text(&seal_context(&path, since), &sealed)?;
                Ok((path, PlaceTextAndOriginsRow { text, origins }))
            })
            .collect()
    }

    /// One place in the newest revision, and the number of that revision.
    pub(crate) async fn read_current_place(
        &self,
        path: &str,
    ) -> Result<(u64, Option<PlaceTextAndOriginsRow>), StoreError> {
        let doing = "reading a place";
        let mut connection = self.connection(doing).await?;
        let (newest, since, text, origins): (i64, Option<i64>, Option<String>, Option<String>) = fetch_one!(
            connection,
            doing,
            "SELECT newest.number, since, text, origins
             FROM (SELECT COALESCE(MAX(number), 0) AS number FROM revisions) AS newest
             LEFT JOIN places ON until IS NULL AND path = $1",
            path,
        )?;
        let place = match (since, text, origins) {
            (Some(since), Some(sealed), Some(origins)) => {
                let text = self.seal.open_sealed_text(&seal_context(path, since), &sealed)?;
                Some(PlaceTextAndOriginsRow { text, origins })
            }
            _ => None,
        };
        Ok((unsigned(newest, "revision")?, place))
    }

    /// The number of the newest revision, and the places in it that have one of the paths, by path. Fails with
    /// [`StoreError::Overtaken`] if another revision is committed between two statements.
    pub(crate) async fn read_current_places_at_paths(
        &self,
        paths: &[String],
    ) -> Result<(u64, BTreeMap<String, PlaceTextAndOriginsRow>), StoreError> {
        let doing = "reading places";
        let mut connection = self.connection(doing).await?;
        let (mut newest, mut places) = (None, Vec::new());
        for chunk in paths.chunks(PATHS_PER_STATEMENT) {
            let [a, b, c, d, e, f, g, h] = pad_paths_to_statement(chunk);
            let rows: Vec<CurrentRow> = fetch_all!(
                connection,
                doing,
                "SELECT newest.number, path, since, text, origins
                 FROM (SELECT COALESCE(MAX(number), 0) AS number FROM revisions) AS newest
                 LEFT JOIN places ON until IS NULL AND path IN ($1, $2, $3, $4, $5, $6, $7, $8)",
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
            )?;
            let revision = rows.first().map_or(0, |(newest, ..)| *newest);
            if *newest.get_or_insert(revision) != revision {
                let (base, found) = (newest.unwrap_or_default(), revision);
                return Err(StoreError::Overtaken {
                    base: unsigned(base, "revision")?,
                    found: unsigned(found, "revision")?,
                });
            }
            places.extend(
                rows.into_iter()
                    .filter_map(|(_, path, since, text, origins)| Some((path?, since?, text?, origins?))),
            );
        }
        Ok((unsigned(newest.unwrap_or(0), "revision")?, self.unseal_by_path(places)?))
    }

    /// The number of the newest revision, and all places in it that are no servers, by path.
    pub(crate) async fn read_current_places_but_servers(
        &self,
    ) -> Result<(u64, BTreeMap<String, PlaceTextAndOriginsRow>), StoreError> {
        let doing = "reading places";
        let mut connection = self.connection(doing).await?;
        // `/` comes before `0`: the range leaves out `servers/...` by the index of the paths.
        let rows: Vec<CurrentRow> = fetch_all!(
            connection,
            doing,
            "SELECT newest.number, path, since, text, origins
             FROM (SELECT COALESCE(MAX(number), 0) AS number FROM revisions) AS newest
             LEFT JOIN places ON until IS NULL AND (path < 'servers/' OR path >= 'servers0')",
        )?;
        self.revision_and_unsealed_places(rows)
    }

    /// The places that were changed or removed after a revision: in which one last, and by whom.
    pub(crate) async fn read_last_place_changes_since(
        &self,
        revision: u64,
    ) -> Result<BTreeMap<String, (u64, String)>, StoreError> {
        let doing = "reading what changed since a revision";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<(String, i64, String)> = fetch_all!(
            connection,
            doing,
            "SELECT path, changed, author FROM (
                 SELECT path, since AS changed FROM places WHERE since > $1
                 UNION ALL SELECT path, until FROM places WHERE until > $1
             ) AS changes JOIN revisions ON number = changed ORDER BY changed",
            signed(revision),
        )?;
        rows.into_iter()
            .map(|(path, changed, author)| Ok((path, (unsigned(changed, "revision")?, author))))
            .collect()
    }

    /// All places as they were in a revision, by path.
    pub(crate) async fn read_revision_places(
        &self,
        revision: u64,
    ) -> Result<BTreeMap<String, PlaceTextAndOriginsRow>, StoreError> {
        let doing = "reading a revision";
        let mut connection = self.connection(doing).await?;
        let rows: Vec<PlaceRow> = fetch_all!(
            connection,
            doing,
            "SELECT path, since, text, origins FROM places WHERE since <= $1 AND (until IS NULL OR until > $1)",
            signed(revision),
        )?;
        self.unseal_by_path(rows)
    }

    /// Commits a revision made from revision `base`, and gives its number. A server that is removed can no longer
    /// authenticate. `resolutions` are those of the servers it reaches; those of all others stay as they are.
    ///
    /// Of several made from the same revision the first one wins, by the key of the table.
    pub(crate) async fn commit_revision_and_revoke_removed(
        &self,
        base: u64,
        changes: &[PlaceChange],
        message: &str,
        resolutions: &[NewResolutionRow],
        context: &TimeAndActor<'_>,
    ) -> Result<u64, StoreError> {
        let doing = "committing a revision";
        let mut transaction = self.begin(doing).await?;
        let next = base + 1;
        let inserted = execute_raw!(
            transaction,
            "INSERT INTO revisions (number, previous, created_us, author, message) VALUES ($1, $2, $3, $4, $5)",
            signed(next),
            (base > 0).then(|| signed(base)),
            context.at_us,
            context.actor,
            message,
        );
        if let Err(error) = inserted {
            drop(transaction);
            let is_overtaken = is_taken(&error);
            return Err(match is_overtaken {
                true => StoreError::Overtaken { base, found: self.read_current_revision_number().await? },
                false => query_error(doing)(error),
            });
        }
        for change in changes {
            execute!(
                transaction,
                doing,
                "UPDATE places SET until = $1 WHERE path = $2 AND until IS NULL",
                signed(next),
                &change.path,
            )?;
            let Some(place) = &change.becomes else {
                if let Some(server) = server_of_path(&change.path) {
                    server_credentials::revoke_credential_and_join_tokens(
                        &mut transaction,
                        server,
                        context.at_us,
                    )
                    .await?;
                    execute!(transaction, doing, "DELETE FROM resolutions WHERE server = $1", server)?;
                }
                continue;
            };
            execute!(
                transaction,
                doing,
                "INSERT INTO places (path, since, text, origins) VALUES ($1, $2, $3, $4)",
                &change.path,
                signed(next),
                self.seal.seal_text(&seal_context(&change.path, signed(next)), &place.text)?,
                &place.origins,
            )?;
        }
        resolutions::write_resolution_digests_and_reads(
            &mut transaction,
            &self.seal,
            next,
            resolutions,
            context.at_us,
        )
        .await?;
        resolutions::carry_selecting_resolutions_to_revision(&mut transaction, base, next).await?;
        let detail = format!("{} places: {message}", changes.len());
        audit::insert_audit_entry(&mut transaction, context, "commit", &format!("revision {next}"), &detail)
            .await?;
        transaction.announce_on_commit(ControlPlaneEvent::RevisionCommitted { revision: next });
        transaction.commit_and_announce_events(doing).await?;
        Ok(next)
    }
}
