//! Changes: a proposed estate is read, checked, compared with the current one and committed as a revision.
//!
//! `geppetto import` and `POST /api/v1/changes` differ in where the texts come from, and in nothing else. What
//! a change costs depends on what it changes and on the servers it reaches: nothing else is read or resolved.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::Catalog,
    diff,
    estate::{Estate, Place, RevisionOrigin},
    fault::{Fault, Severity},
    format::{
        estate::{self, EstateDocuments},
        node::content_digest,
    },
    name::ServerName,
    resolve::{check_change, reached_servers, resolve},
    wire::{ChangeResult, ChangedPlace},
};

use super::{BackOffice, BackOfficeError, EstateSnapshot, estate_snapshot, mask::SecretParameters};
use crate::store::{AuditContext, PlaceChange, PlaceText, StoreError};

/// How often a change is made again because another program committed meanwhile.
const ATTEMPTS: usize = 10;

/// How many lines of the difference of one object are shown.
const DIFF_LINES: usize = 1_000;

/// A proposed change.
#[derive(Debug, Clone)]
pub struct ChangeProposal {
    /// The proposed estate.
    pub proposed: ProposedEstate,
    /// Why, for the history.
    pub message: String,
    /// Only preview: commit nothing.
    pub preview: bool,
    /// The revision it was made from: what others changed since is not overwritten.
    pub base: Option<u64>,
}

/// The proposed estate.
#[derive(Debug, Clone)]
pub enum ProposedEstate {
    /// The whole estate: what is not here is removed.
    Whole {
        /// All files.
        documents: EstateDocuments,
        /// It is meant that nothing is left.
        allow_empty: bool,
    },
    /// Some objects; `None` removes one. The others stay as they are.
    Some(BTreeMap<String, Option<String>>),
}

impl BackOffice {
    /// Checks a proposal, lists what it changes, and commits it unless it is a preview.
    pub async fn change(
        &self,
        proposal: ChangeProposal,
        actor: &str,
    ) -> Result<ChangeResult, BackOfficeError> {
        // One after the other: each then sees what the one before it did, and none is made twice.
        let _turn = match proposal.preview {
            true => None,
            false => Some(self.changing.lock().await),
        };
        let base = match (&proposal.proposed, proposal.base) {
            // Whatever is committed from now on is not in those files, and would be undone by them.
            (ProposedEstate::Whole { .. }, None) => Some(self.current_estate().await?.revision),
            (_, base) => base,
        };
        let mut overtaken = None;
        for _ in 0..ATTEMPTS {
            match self.try_change(&proposal, base, actor).await {
                Err(BackOfficeError::Store(error @ StoreError::Overtaken { .. })) => overtaken = Some(error),
                done => return done,
            }
        }
        Err(overtaken.map_or_else(|| BackOfficeError::Broken("no change was tried".to_owned()), Into::into))
    }

    /// Makes the change from the newest state; fails with [`StoreError::Overtaken`] when that is not the newest
    /// any more.
    async fn try_change(
        &self,
        proposal: &ChangeProposal,
        base: Option<u64>,
        actor: &str,
    ) -> Result<ChangeResult, BackOfficeError> {
        let state = self.current_estate().await?;
        let documents = proposed_documents(&state, &proposal.proposed)?;
        let origin = RevisionOrigin { revision: state.revision + 1, by: actor.to_owned() };
        let (catalog, secrets) = (self.catalog().await?, self.secret_parameters().await?);
        let newer = match base {
            Some(base) => self.changes_since(&state, base).await?,
            None => Newer::default(),
        };
        let current = Arc::clone(&state);
        // Reading and checking thousands of objects takes its time; requests go on meanwhile.
        let judged = tokio::task::spawn_blocking(move || {
            evaluate_proposal(&current, &documents, &newer, &origin, &catalog, &secrets)
        })
        .await
        .map_err(|error| BackOfficeError::Broken(format!("a change could not be checked: {error}")))??;
        let Judged { changes, next, mut result } = judged;
        if changes.is_empty() || proposal.preview {
            return Ok(result);
        }
        let deed = AuditContext { at_us: self.clock.now_us(), actor };
        let revision = self.store.commit_revision(state.revision, &changes, &proposal.message, &deed).await?;
        self.known().insert_snapshot(Arc::new(next));
        result.revision = Some(revision);
        Ok(result)
    }

    /// What was changed after revision `base`.
    async fn changes_since(&self, state: &EstateSnapshot, base: u64) -> Result<Newer, BackOfficeError> {
        if base > state.revision {
            return Err(BackOfficeError::Unknown {
                what: "revision",
                name: base.to_string(),
                nearest: Some(state.revision.to_string()),
                list: "nothing was committed yet",
            });
        }
        let objects = match base == state.revision {
            true => BTreeMap::new(),
            false => self.store.places_changed_since(base).await?,
        };
        Ok(Newer { base, objects })
    }
}

/// What others committed after the revision a change was made from.
#[derive(Default)]
struct Newer {
    base: u64,
    /// By path: in which revision last, and by whom.
    objects: BTreeMap<String, (u64, String)>,
}

impl Newer {
    /// Refuses to overwrite any of it.
    fn check_no_overwrite(&self, changes: &[PlaceChange]) -> Result<(), BackOfficeError> {
        let lines: Vec<String> = changes
            .iter()
            .filter_map(|change| {
                let (revision, by) = self.objects.get(&change.path)?;
                Some(format!("\n  {} in revision {revision} by {by}", place_title(&change.path)))
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(BackOfficeError::Conflict(format!(
            "nothing was changed: this was made from revision {}, and since then others changed{}\nStart again \
             from the newest revision (`geppetto export DIR --replace`), or say that theirs is to be overwritten \
             (`geppetto import --overwrite`; over the API, leave `base` out)",
            self.base,
            lines.concat()
        )))
    }
}

/// The documents of the proposed estate.
fn proposed_documents(
    state: &EstateSnapshot,
    proposed: &ProposedEstate,
) -> Result<EstateDocuments, BackOfficeError> {
    match proposed {
        ProposedEstate::Whole { documents, allow_empty } => {
            if documents.is_empty() && !state.documents.is_empty() && !allow_empty {
                return Err(BackOfficeError::Refused(format!(
                    "there is no role, group, environment or server in what was given: all {} objects of \
                     revision {} would be removed. If that is intended, use --allow-empty",
                    state.documents.len(),
                    state.revision
                )));
            }
            Ok(documents.clone())
        }
        ProposedEstate::Some(edits) => {
            let mut documents = state.documents.clone();
            for (path, text) in edits {
                match text {
                    Some(text) => _ = documents.insert(path.clone(), text.clone()),
                    None if documents.contains_key(path) => _ = documents.remove(path),
                    None => {
                        let known = documents.keys().map(String::as_str);
                        let list = "nothing is there to remove";
                        return Err(BackOfficeError::unknown("object", path, known, list));
                    }
                }
            }
            Ok(documents)
        }
    }
}

/// What a proposal comes to.
struct Judged {
    changes: Vec<PlaceChange>,
    /// The state after the commit.
    next: EstateSnapshot,
    result: ChangeResult,
}

/// What a proposal does to each object, and the same for people.
fn evaluate_proposal(
    state: &EstateSnapshot,
    documents: &EstateDocuments,
    newer: &Newer,
    origin: &RevisionOrigin,
    catalog: &Catalog,
    secrets: &SecretParameters,
) -> Result<Judged, BackOfficeError> {
    let edited: EstateDocuments = documents
        .iter()
        .filter(|(path, text)| state.documents.get(*path) != Some(*text))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    let mut edited = estate::read(&edited)
        .map_err(|errors| BackOfficeError::Invalid(errors.into_iter().map(Fault::from).collect()))?;
    estate::carry_origins(&state.estate, &mut edited, origin);
    let origins = estate_snapshot::override_origins(&mut edited);
    let texts = estate::write(&edited);
    check_readable(&texts)?;

    let mut next = EstateSnapshot { revision: origin.revision, ..state.clone() };
    let mut changes = Vec::new();
    for path in state.documents.keys().filter(|path| !documents.contains_key(*path)) {
        next.documents.remove(path);
        estate_snapshot::remove_place(&mut next.estate, path);
        changes.push(PlaceChange { path: path.clone(), becomes: None });
    }
    for (path, text) in texts.into_iter().filter(|(path, text)| state.documents.get(path) != Some(text)) {
        next.documents.insert(path.clone(), text.clone());
        let origins = origins.get(&path).cloned().unwrap_or_else(|| "{}".to_owned());
        changes.push(PlaceChange { path, becomes: Some(PlaceText { text, origins }) });
    }
    estate_snapshot::overlay_estate(&mut next.estate, edited);
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    newer.check_no_overwrite(&changes)?;

    let notes = check_change(&state.estate, &next.estate, catalog);
    let (errors, warnings): (Vec<Fault>, Vec<Fault>) =
        notes.iter().map(|note| note.locate(documents)).partition(|fault| fault.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(BackOfficeError::Invalid(errors));
    }
    let objects = masked_diffs(&state.estate, &next.estate, &changes, secrets);
    let servers = changed_servers(&state.estate, &next.estate, catalog);
    let result = ChangeResult { revision: None, objects, servers, warnings };
    Ok(Judged { changes, next, result })
}

/// Makes sure that what is stored can be read again: written out, a file can be longer than it came.
fn check_readable(texts: &EstateDocuments) -> Result<(), BackOfficeError> {
    let hint = || Some("this is about the document as it would be stored, with one value a line".to_owned());
    estate::read(texts).map(|_| ()).map_err(|errors| {
        let faults = errors.into_iter().map(|error| Fault { hint: hint(), ..Fault::from(error) });
        BackOfficeError::Invalid(faults.collect())
    })
}

/// The servers whose node file differs: only those the change can reach are resolved, once before and once after.
fn changed_servers(old: &Estate, new: &Estate, catalog: &Catalog) -> Vec<String> {
    let digest =
        |estate, server: &ServerName| resolve(estate, catalog, server).ok().map(|node| content_digest(&node));
    reached_servers(old, new)
        .into_iter()
        .filter(|server| digest(old, server) != digest(new, server))
        .map(|server| server.to_string())
        .collect()
}

/// The changes as people see them: unified diffs with the secrets masked.
fn masked_diffs(
    old: &Estate,
    new: &Estate,
    changes: &[PlaceChange],
    secrets: &SecretParameters,
) -> Vec<ChangedPlace> {
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let (mut old, mut new) =
        (estate_snapshot::partial_estate(old, &paths), estate_snapshot::partial_estate(new, &paths));
    secrets.mask_compared_estates(&mut old, &mut new);
    let (old, new) = (estate::write(&old), estate::write(&new));
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
            let diff = format!("--- a/{path}\n+++ b/{path}\n{}", diff(before, after, 3, DIFF_LINES));
            ChangedPlace { object: place_title(path), how: how.to_owned(), diff }
        })
        .collect()
}

/// An object by the path of its file, as people call it: `role web`.
fn place_title(path: &str) -> String {
    estate::place_of_document(path).map_or_else(|_| path.to_owned(), |place: Place| place.to_string())
}
