//! What a change does to each place, as people see it.

use std::collections::BTreeSet;

use model::{
    estate::{Estate, PlaceId},
    format::estate,
    unified_diff,
    wire::PlaceChangeSummary,
};

use super::{EstateSnapshot, estate_snapshot, mask::SecretParameters};
use crate::store::PlaceChange;

/// How many lines of the difference of one place are shown.
pub(super) const DIFF_LINES: usize = 1_000;

/// A change without its difference.
pub(super) fn changed_place(state: &EstateSnapshot, change: &PlaceChange) -> PlaceChangeSummary {
    let how = match (&change.becomes, state.documents.contains_key(&change.path)) {
        (None, _) => "removed",
        (Some(_), true) => "changed",
        (Some(_), false) => "added",
    };
    PlaceChangeSummary { place: place_title_from_path(&change.path), how: how.to_owned(), diff: None }
}

/// The changes as people see them: unified diffs with the secrets masked.
pub(super) fn masked_diffs(
    old: &Estate,
    new: &Estate,
    changes: &[PlaceChange],
    secrets: &SecretParameters,
) -> Vec<PlaceChangeSummary> {
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let (mut old, mut new) = (
        estate_snapshot::select_places_by_path(old, &paths),
        estate_snapshot::select_places_by_path(new, &paths),
    );
    secrets.mask_secrets_in_compared_estates(&mut old, &mut new);
    let (old, new) = (estate::estate_to_yaml_by_path(&old), estate::estate_to_yaml_by_path(&new));
    changes
        .iter()
        .map(|change| {
            let path = &change.path;
            let (before, after) = (old.get(path), new.get(path));
            let how = match (before, after) {
                (None, _) => "added",
                (Some(_), None) => "removed",
                (Some(_), Some(_)) => "changed",
            };
            let (before, after) = (before.map_or("", String::as_str), after.map_or("", String::as_str));
            let diff = format!("--- a/{path}\n+++ b/{path}\n{}", unified_diff(before, after, 3, DIFF_LINES));
            PlaceChangeSummary { place: place_title_from_path(path), how: how.to_owned(), diff: Some(diff) }
        })
        .collect()
}

/// A place by the path of its file, as people call it: `role web`.
pub(super) fn place_title_from_path(path: &str) -> String {
    estate::place_of_document_path(path).map_or_else(|_| path.to_owned(), |place: PlaceId| place.to_string())
}
