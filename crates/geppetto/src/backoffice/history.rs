//! What happened: revisions, what one changed, and the audit log.

use std::collections::BTreeMap;

use model::wire;

use super::{
    BackOffice, BackOfficeError,
    change_summaries::{DIFF_LINES, place_title_from_path},
};
use crate::auth::{Operator, UnscopedPermit, Viewer};

impl BackOffice {
    /// Revisions before `before`, newest first.
    pub(crate) async fn list_revisions(
        &self,
        _permit: &UnscopedPermit<Viewer>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<wire::RevisionPage, BackOfficeError> {
        let found = self.store.read_revisions(before, limit).await?;
        let next = found.last().filter(|last| found.len() == limit as usize && last.number > 1);
        let next = next.map(|last| last.number);
        let items = found
            .into_iter()
            .map(|revision| wire::RevisionSummary {
                number: revision.number,
                created_us: revision.created_us,
                author: revision.author,
                message: revision.message,
            })
            .collect();
        Ok(wire::RevisionPage { items, next })
    }

    /// What differs between two revisions, secrets masked as the principal sees them.
    ///
    /// A secret that differs and is masked shows as a place that changed without a difference.
    pub(crate) async fn diff_revisions(
        &self,
        permit: &UnscopedPermit<Viewer>,
        from: u64,
        to: u64,
    ) -> Result<wire::RevisionDiff, BackOfficeError> {
        // The newer one first: of two that are not there, it is the one that was asked for.
        let new = self.read_estate_of_revision(to).await?;
        let old = self.read_estate_of_revision(from).await?;
        let principal = permit.principal();
        let mut changed: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        for (path, text) in &old.documents {
            if new.documents.get(path) != Some(text) {
                changed.entry(path.clone()).or_default().0 = Some(text.clone());
            }
        }
        for (path, text) in &new.documents {
            if old.documents.get(path) != Some(text) {
                changed.entry(path.clone()).or_default().1 = Some(text.clone());
            }
        }
        let side = |second: bool| {
            let text = |(path, (before, after)): (&String, &(Option<String>, Option<String>))| {
                Some((path.clone(), if second { after } else { before }.clone()?))
            };
            changed.iter().filter_map(text).collect()
        };
        let before = self.mask_documents_for_principal(principal, &old.estate, side(false)).await?;
        let after = self.mask_documents_for_principal(principal, &new.estate, side(true)).await?;
        let places = changed
            .keys()
            .filter(|path| super::export::can_see_place_in_both(principal, &old.estate, &new.estate, path))
            .map(|path| {
                let (before, after) = (before.get(path), after.get(path));
                let how = match (before, after) {
                    (None, _) => "added",
                    (Some(_), None) => "removed",
                    (Some(_), Some(_)) => "changed",
                };
                let (before, after) = (before.map_or("", String::as_str), after.map_or("", String::as_str));
                let diff = model::unified_diff(before, after, 3, DIFF_LINES);
                let diff = format!("--- a/{path}\n+++ b/{path}\n{diff}");
                wire::PlaceChangeSummary {
                    place: place_title_from_path(path),
                    how: how.to_owned(),
                    diff: Some(diff),
                }
            })
            .collect();
        Ok(wire::RevisionDiff { from, to, places })
    }

    /// The newest entries of the audit log before `before`, newest first.
    pub(crate) async fn list_audit_entries(
        &self,
        permit: &UnscopedPermit<Operator>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<wire::AuditPage, BackOfficeError> {
        permit.require_grant_everywhere()?;
        let found = self.store.read_audit_entries(before, limit).await?;
        let next =
            found.last().filter(|last| found.len() == limit as usize && last.id > 1).map(|last| last.id);
        let items = found
            .into_iter()
            .map(|entry| wire::AuditEntry {
                id: entry.id,
                at_us: entry.at_us,
                actor: entry.actor,
                action: entry.action,
                subject: entry.subject,
                detail: entry.detail,
            })
            .collect();
        Ok(wire::AuditPage { items, next })
    }
}
