//! Changes: a proposed estate is read, checked, compared with the current one and committed as a revision.
//!
//! `geppetto import` and `POST /api/v1/changes` differ in where the texts come from, and in nothing else.

use std::collections::BTreeSet;

use model::{
    catalog::Catalog,
    estate::{Estate, Origin},
    format::{
        estate::{self, Documents},
        node::content_digest,
    },
    name::ServerName,
    resolve::{Resolver, Severity, check, reach},
    wire::{ChangeResult, ChangedObject},
};
use similar::TextDiff;

use super::{Office, OfficeError, State, mask, state};
use crate::store::{Deed, ObjectChange, ObjectText};

/// A proposed estate.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// All of its files. What is not here is removed.
    pub documents: Documents,
    /// Why, for the history.
    pub message: String,
    /// Only say what would happen.
    pub preview: bool,
    /// It is meant that nothing is left.
    pub allow_empty: bool,
}

impl Office {
    /// Checks a proposal, says what it changes, and commits it unless it is a preview.
    pub async fn change(&self, proposal: Proposal, actor: &str) -> Result<ChangeResult, OfficeError> {
        let state = self.state().await?;
        let Proposal { documents, message, preview, allow_empty } = proposal;
        if documents.is_empty() && !state.documents.is_empty() && !allow_empty {
            return Err(OfficeError::Refused(format!(
                "there is no role, group, environment or server in what was given: all {} objects of revision {} \
                 would be removed. If that is meant, say so with --allow-empty",
                state.documents.len(),
                state.revision
            )));
        }
        let next = state.revision + 1;
        let origin = Origin { revision: next, by: actor.to_owned() };
        let catalog = self.catalog().await?;
        let base = std::sync::Arc::clone(&state);
        // Reading and checking thousands of objects takes its time; requests go on meanwhile.
        let judged = tokio::task::spawn_blocking(move || judge(&base, &documents, &origin, &catalog))
            .await
            .map_err(|error| OfficeError::Broken(format!("a change could not be checked: {error}")))??;
        let (changes, mut result) = judged;
        if changes.is_empty() || preview {
            return Ok(result);
        }
        let deed = Deed { at_us: self.clock.now_us(), actor };
        result.revision = Some(self.store.commit_revision(state.revision, &changes, &message, &deed).await?);
        Ok(result)
    }

    /// Commits a change of some objects; the others stay as they are.
    pub async fn change_some(
        &self,
        change: model::wire::Change,
        actor: &str,
    ) -> Result<ChangeResult, OfficeError> {
        let mut documents = self.state().await?.documents.clone();
        for (path, text) in change.documents {
            match text {
                Some(text) => _ = documents.insert(path, text),
                None if documents.contains_key(&path) => _ = documents.remove(&path),
                None => {
                    let known = documents.keys().map(String::as_str);
                    return Err(OfficeError::unknown("object", &path, known, "nothing is there to remove"));
                }
            }
        }
        let (message, preview) = (change.message, change.preview);
        self.change(Proposal { documents, message, preview, allow_empty: true }, actor).await
    }
}

/// What a proposal does to each object, and the same for people.
fn judge(
    state: &State,
    documents: &Documents,
    origin: &Origin,
    catalog: &Catalog,
) -> Result<(Vec<ObjectChange>, ChangeResult), OfficeError> {
    let mut new =
        estate::read(documents).map_err(|errors| refused(errors.iter().map(ToString::to_string)))?;
    estate::carry_origins(&state.estate, &mut new, origin);
    let notes = check(&new, catalog);
    let fatal: Vec<String> = notes
        .iter()
        .filter(|note| note.severity == Severity::Fatal)
        .map(|note| note.in_file(documents))
        .collect();
    if !fatal.is_empty() {
        return Err(refused(fatal.into_iter()));
    }
    let warnings = notes.iter().map(|note| note.in_file(documents)).collect();

    let origins = state::origins(&mut new);
    let texts = estate::write(&new);
    let paths: BTreeSet<&String> = state.documents.keys().chain(texts.keys()).collect();
    let changes: Vec<ObjectChange> = paths
        .into_iter()
        .filter(|path| state.documents.get(*path) != texts.get(*path))
        .map(|path| ObjectChange {
            path: path.clone(),
            becomes: texts.get(path).map(|text| ObjectText {
                text: text.clone(),
                origins: origins.get(path).cloned().unwrap_or_else(|| "{}".to_owned()),
            }),
        })
        .collect();
    let objects = shown(state, &new, &changes, catalog);
    let servers = if changes.is_empty() { Vec::new() } else { servers(&state.estate, &new, catalog) };
    Ok((changes, ChangeResult { revision: None, objects, servers, warnings }))
}

/// The servers whose node file differs: only those the change can reach are resolved, once before and once after.
fn servers(old: &Estate, new: &Estate, catalog: &Catalog) -> Vec<String> {
    let (before, after) = (Resolver::new(old, catalog), Resolver::new(new, catalog));
    let digest = |resolver: &Resolver<'_>, server: &ServerName| {
        resolver.resolve(server).ok().map(|node| content_digest(&node))
    };
    reach(old, new)
        .into_iter()
        .filter(|server| digest(&before, server) != digest(&after, server))
        .map(|server| server.to_string())
        .collect()
}

/// The changes as people see them: unified diffs with the secrets masked.
fn shown(state: &State, new: &Estate, changes: &[ObjectChange], catalog: &Catalog) -> Vec<ChangedObject> {
    let (mut old, mut new) = (state.estate.clone(), new.clone());
    mask::pair(catalog, &mut old, &mut new);
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
            let diff = TextDiff::from_lines(before, after)
                .unified_diff()
                .context_radius(3)
                .header(&format!("a/{path}"), &format!("b/{path}"))
                .to_string();
            let object = estate::place(path).map_or_else(|_| path.clone(), |place| place.to_string());
            ChangedObject { object, how: how.to_owned(), diff }
        })
        .collect()
}

fn refused(errors: impl Iterator<Item = String>) -> OfficeError {
    OfficeError::Refused(format!(
        "nothing was changed, because of:\n  {}",
        errors.collect::<Vec<_>>().join("\n").replace('\n', "\n  ")
    ))
}
