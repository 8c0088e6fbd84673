//! What differs between two revisions, as pages show it: secrets are masked for everybody, and long lists are cut.

use std::collections::BTreeSet;

use model::wire::PlaceChangeSummary;

use super::{BackOffice, BackOfficeError, change_summaries::masked_diffs, export};
use crate::{
    auth::{UnscopedPermit, Viewer},
    store::PlaceChange,
};

/// What differs between two revisions.
#[derive(Debug, Clone)]
pub(crate) struct RevisionComparison {
    /// How many places that the principal may see differ.
    pub(crate) count: usize,
    /// The first of them, by their files.
    pub(crate) places: Vec<PlaceChangeSummary>,
}

impl BackOffice {
    /// What differs between two revisions, the differences of `limit` places at most.
    pub(crate) async fn compare_revisions_with_masked_secrets(
        &self,
        permit: &UnscopedPermit<Viewer>,
        (from, to): (u64, u64),
        limit: usize,
    ) -> Result<RevisionComparison, BackOfficeError> {
        // The newer one first: of two that are not there, it is the one that was asked for.
        let new = self.read_estate_of_revision(to).await?;
        let old = self.read_estate_of_revision(from).await?;
        let principal = permit.principal();
        let differs = |path: &&String| old.documents.get(*path) != new.documents.get(*path);
        let paths: BTreeSet<&String> = old
            .documents
            .keys()
            .chain(new.documents.keys())
            .filter(differs)
            .filter(|path| export::can_see_place_in_both(principal, &old.estate, &new.estate, path))
            .collect();
        let count = paths.len();
        let shown = paths.into_iter().take(limit);
        let changes: Vec<PlaceChange> =
            shown.map(|path| PlaceChange { path: path.clone(), becomes: None }).collect();
        let secrets = self.load_and_store_ever_secret_parameters().await?;
        Ok(RevisionComparison { count, places: masked_diffs(&old.estate, &new.estate, &changes, &secrets) })
    }
}
