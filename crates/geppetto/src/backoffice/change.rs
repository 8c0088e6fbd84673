//! Changes: a proposed estate is read, checked, compared with the current one and committed as a revision.
//!
//! What a change costs depends on what it changes and on the servers it reaches: nothing else is read or resolved.
//! Whether it is allowed depends on where its effects fall, whatever document was edited.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use model::{
    catalog::ComponentCatalog,
    estate::RevisionAndAuthor,
    fault::{Fault, Severity},
    format::estate::{self, EstateYamlByPath, SettingLocator},
    name::Name,
    resolve::{EstateFaultOrWarning, ResolutionReadsIndex, check_estate_change_unless_cancelled},
    wire::EstateChangeResult,
};

use super::{
    BackOffice, BackOfficeError, EstateSnapshot,
    cancel_when_dropped::CancelWhenDropped,
    change_summaries::{changed_place, masked_diffs, place_title_from_path},
    effects::{find_affected_environment_component_pairs, group_and_mask_effects},
    estate_snapshot,
    mask::SecretParameters,
    resolution_rows::NewResolutionRowFactory,
};
use crate::{
    auth::{EnvironmentAndComponentScope, Operator, UnscopedPermit},
    store::{NewResolutionRow, PlaceChange, PlaceTextAndOriginsRow, StoreError},
};

/// How often a change is made again because another program committed meanwhile.
const ATTEMPTS: usize = 10;

/// The longest message of a revision, in characters: it is in every list of revisions.
const MESSAGE_CHARACTERS: usize = 2_000;

/// How many findings are shown. Nobody corrects more at once.
const SHOWN_FINDINGS: usize = 1_000;

/// A document of at most so many bytes has fewer texts, numbers, lists and maps than the reader's limit.
const ALWAYS_READABLE_BYTES: usize = 256 * 1024;

/// A proposed change.
#[derive(Debug, Clone)]
pub(crate) struct EstateChangeSubmission {
    /// The proposed estate.
    pub(crate) proposed: SubmittedEstate,
    /// Why, for the history.
    pub(crate) message: String,
    /// Only preview: commit nothing.
    pub(crate) preview: bool,
    /// The revision it was made from: what others changed since is not overwritten.
    pub(crate) base: Option<u64>,
    /// Whether the difference of each place is wanted, too.
    pub(crate) diffs: bool,
}

/// The proposed estate.
#[derive(Debug, Clone)]
pub(crate) enum SubmittedEstate {
    /// The whole estate: what is not here is removed.
    Whole {
        /// All files.
        documents: EstateYamlByPath,
        /// It is meant that nothing is left.
        allow_empty: bool,
    },
    /// Some documents; `None` removes one. The others stay as they are.
    Some(BTreeMap<String, Option<String>>),
}

impl BackOffice {
    /// Checks a proposal, lists what it changes, and commits it unless it is a preview.
    pub(crate) async fn commit_or_preview_change(
        &self,
        permit: &UnscopedPermit<Operator>,
        proposal: EstateChangeSubmission,
    ) -> Result<EstateChangeResult, BackOfficeError> {
        let characters = proposal.message.chars().count();
        if characters > MESSAGE_CHARACTERS {
            return Err(BackOfficeError::Refused(format!(
                "the message has {characters} characters; at most {MESSAGE_CHARACTERS} are kept for ever"
            )));
        }
        // A change that is refused, however long that takes, keeps nobody waiting.
        let base = self.base_of_change(&proposal).await?;
        let evaluated = self.evaluate_change(permit, &proposal, base).await?;
        if proposal.preview || evaluated.changes.is_empty() {
            return Ok(evaluated.result);
        }
        // One after the other: each then sees what the one before it did.
        let _turn = self.changing.lock().await;
        let mut overtaken = match self.commit_change(permit, &proposal, evaluated).await {
            Err(BackOfficeError::Store(error @ StoreError::Overtaken { .. })) => error,
            done => return done,
        };
        let base = self.base_of_change(&proposal).await?;
        for _ in 0..ATTEMPTS {
            let evaluated = self.evaluate_change(permit, &proposal, base).await?;
            if evaluated.changes.is_empty() {
                return Ok(evaluated.result);
            }
            match self.commit_change(permit, &proposal, evaluated).await {
                Err(BackOfficeError::Store(error @ StoreError::Overtaken { .. })) => overtaken = error,
                done => return done,
            }
        }
        Err(overtaken.into())
    }

    /// The revision that a change was made from, if others must not be overwritten.
    async fn base_of_change(
        &self,
        proposal: &EstateChangeSubmission,
    ) -> Result<Option<u64>, BackOfficeError> {
        match (&proposal.proposed, proposal.base) {
            // Whatever is committed from now on is not in those files, and would be undone by them.
            (SubmittedEstate::Whole { .. }, None) => {
                Ok(Some(self.cached_or_read_current_estate().await?.revision))
            }
            (_, base) => Ok(base),
        }
    }

    /// Checks the change against the newest state, and whether it is allowed. Nothing is written.
    async fn evaluate_change(
        &self,
        permit: &UnscopedPermit<Operator>,
        proposal: &EstateChangeSubmission,
        base: Option<u64>,
    ) -> Result<EvaluatedProposal, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let documents = proposed_documents(&state, &proposal.proposed)?;
        let submitted = Arc::clone(&self.submitted_texts);
        let (preview, diffs) = (proposal.preview, proposal.diffs);
        let actor = permit.audit_actor();
        let origin = RevisionAndAuthor { revision: state.revision + 1, by: actor };
        let (catalog, secrets) =
            (self.read_catalog_of_all_channels().await?, self.load_and_store_ever_secret_parameters().await?);
        let newer = match base {
            Some(base) => self.changes_since(&state, base).await?,
            None => Newer::default(),
        };
        let recorded = self.refresh_resolution_reads_index().await?;
        let current = Arc::clone(&state);
        let cancellation = CancelWhenDropped::default();
        let is_cancelled = cancellation.flag();
        // Reading and checking thousands of documents takes its time; requests go on meanwhile.
        let evaluated = tokio::task::spawn_blocking(move || {
            let known = submitted.replace_equivalent_by_stored_texts(&documents, &current.documents);
            let evaluation = ProposalEvaluation {
                state: &current,
                submitted: &documents,
                documents: &known,
                newer: &newer,
                catalog: &catalog,
                secrets: &secrets,
                recorded: &recorded,
                preview,
                diffs,
                is_cancelled: &is_cancelled,
            };
            let evaluated = evaluation.evaluate_proposal(&origin)?;
            submitted.remember_texts_equivalent_to_stored(
                &documents,
                &current.documents,
                &evaluated.next.documents,
            );
            Ok::<_, BackOfficeError>(evaluated)
        })
        .await
        .map_err(|error| BackOfficeError::Broken(format!("a change could not be checked: {error}")))??;
        drop(cancellation);
        for scope in &evaluated.scopes {
            permit.require_grant_in_scope(scope)?;
        }
        for environment in &evaluated.read_environments {
            permit.require_view_of_whole_environment(environment)?;
        }
        Ok(evaluated)
    }

    /// Commits what was evaluated; fails with [`StoreError::Overtaken`] when the state it was evaluated against is not the
    /// newest any more.
    async fn commit_change(
        &self,
        permit: &UnscopedPermit<Operator>,
        proposal: &EstateChangeSubmission,
        evaluated: EvaluatedProposal,
    ) -> Result<EstateChangeResult, BackOfficeError> {
        let EvaluatedProposal { changes, next, resolutions, mut result, .. } = evaluated;
        let actor = permit.audit_actor();
        let context = self.audit_context(&actor);
        let revision = self
            .store
            .commit_revision_and_revoke_removed(
                next.revision - 1,
                &changes,
                &proposal.message,
                &resolutions,
                &context,
            )
            .await?;
        // Servers that come and selections that change are in the reads of what was committed.
        self.refresh_resolution_reads_index().await?;
        self.cache().insert_snapshot_and_forget_reached_nodes(Arc::new(next));
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
        let places = match base == state.revision {
            true => BTreeMap::new(),
            false => self.store.read_last_place_changes_since(base).await?,
        };
        Ok(Newer { base, places })
    }
}

/// What others committed after the revision a change was made from.
#[derive(Default)]
struct Newer {
    base: u64,
    /// By path: in which revision last, and by whom.
    places: BTreeMap<String, (u64, String)>,
}

impl Newer {
    /// Refuses to overwrite any of it.
    fn check_no_overwrite(&self, changes: &[PlaceChange]) -> Result<(), BackOfficeError> {
        let lines: Vec<String> = changes
            .iter()
            .filter_map(|change| {
                let (revision, by) = self.places.get(&change.path)?;
                Some(format!("\n  {} in revision {revision} by {by}", place_title_from_path(&change.path)))
            })
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(BackOfficeError::Conflict(format!(
            "nothing was changed: this was made from revision {}, and since then others changed{}\nStart again \
             from the newest revision (`punch export DIR --replace`), or say that theirs is to be overwritten \
             (`punch import --overwrite`; over the API, leave `base` out)",
            self.base,
            lines.concat()
        )))
    }
}

/// The documents of the proposed estate.
fn proposed_documents(
    state: &EstateSnapshot,
    proposed: &SubmittedEstate,
) -> Result<EstateYamlByPath, BackOfficeError> {
    match proposed {
        SubmittedEstate::Whole { documents, allow_empty } => {
            if documents.is_empty() && !state.documents.is_empty() && !allow_empty {
                return Err(BackOfficeError::Refused(format!(
                    "there is no role, group, environment or server in what was given: all {} places of \
                     revision {} would be removed. If that is intended, use --allow-empty",
                    state.documents.len(),
                    state.revision
                )));
            }
            Ok(documents.clone())
        }
        SubmittedEstate::Some(edits) => {
            let mut documents = state.documents.clone();
            for (path, text) in edits {
                match text {
                    Some(text) => _ = documents.insert(path.clone(), text.clone()),
                    None if documents.contains_key(path) => _ = documents.remove(path),
                    None => {
                        let known = documents.keys().map(String::as_str);
                        let list = "nothing is there to remove";
                        return Err(BackOfficeError::unknown_name_error("place", path, known, list));
                    }
                }
            }
            Ok(documents)
        }
    }
}

/// What a proposal comes to.
struct EvaluatedProposal {
    changes: Vec<PlaceChange>,
    /// The state after the commit.
    next: EstateSnapshot,
    /// Where its effects fall.
    scopes: BTreeSet<EnvironmentAndComponentScope>,
    /// The environments that servers of others read by it, and did not before.
    read_environments: BTreeSet<Name>,
    /// What the servers it reaches read and come to.
    resolutions: Vec<NewResolutionRow>,
    result: EstateChangeResult,
}

/// A proposal with all that it is judged by.
struct ProposalEvaluation<'e> {
    state: &'e EstateSnapshot,
    /// The documents as they were written.
    submitted: &'e EstateYamlByPath,
    /// The documents, those that are known to mean what is stored as they are stored.
    documents: &'e EstateYamlByPath,
    newer: &'e Newer,
    catalog: &'e ComponentCatalog,
    secrets: &'e SecretParameters,
    recorded: &'e ResolutionReadsIndex,
    /// Nothing is committed, so nothing is prepared for that.
    preview: bool,
    diffs: bool,
    /// Set when the request was dropped.
    is_cancelled: &'e AtomicBool,
}

impl ProposalEvaluation<'_> {
    /// What a proposal does to each place, and the same for people.
    fn evaluate_proposal(&self, origin: &RevisionAndAuthor) -> Result<EvaluatedProposal, BackOfficeError> {
        let Self { state, recorded, .. } = *self;
        let (next, changes) = self.edit(origin)?;
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Err(cancelled_error());
        }
        self.newer.check_no_overwrite(&changes)?;
        let Some(checked) = check_estate_change_unless_cancelled(
            &state.estate,
            &next.estate,
            self.catalog,
            recorded,
            self.is_cancelled,
        ) else {
            return Err(cancelled_error());
        };
        let (errors, warnings): (Vec<Fault>, Vec<Fault>) =
            locate_first_findings(&checked.findings, self.submitted)
                .into_iter()
                .partition(|fault| fault.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(BackOfficeError::Invalid(errors));
        }
        let places = match self.diffs {
            true => masked_diffs(&state.estate, &next.estate, &changes, self.secrets),
            false => changes.iter().map(|change| changed_place(state, change)).collect(),
        };
        let scopes = find_affected_environment_component_pairs(
            &checked.effects,
            &state.estate,
            &next.estate,
            &changes,
        );
        let mut read_environments = BTreeSet::new();
        for (server, resolved) in
            checked.resolutions.iter().filter_map(|(name, one)| Some((name, one.as_ref()?)))
        {
            let known = recorded.reads_of_server(server).map(|reads| &reads.selections);
            let selections = resolved.reads.selections.iter();
            let new = selections.filter(|one| known.is_none_or(|known| !known.contains(one)));
            let environments = new.map(|selection| &selection.environment);
            read_environments.extend(environments.filter(|name| **name != resolved.environment).cloned());
        }
        let mut rows = NewResolutionRowFactory::new(self.catalog);
        let resolutions = match self.preview {
            true => Vec::new(),
            false => checked
                .resolutions
                .into_iter()
                .map(|(server, one)| rows.build_resolution_row(server, one))
                .collect(),
        };
        let effects = group_and_mask_effects(checked.effects, self.secrets);
        let result = EstateChangeResult { revision: None, places, effects, warnings };
        Ok(EvaluatedProposal { changes, next, scopes, read_environments, resolutions, result })
    }

    /// The state after the commit, and what is different in it.
    fn edit(
        &self,
        origin: &RevisionAndAuthor,
    ) -> Result<(EstateSnapshot, Vec<PlaceChange>), BackOfficeError> {
        let Self { state, documents, .. } = *self;
        let edited: EstateYamlByPath = documents
            .iter()
            .filter(|(path, text)| state.documents.get(*path) != Some(*text))
            .map(|(path, text)| (path.clone(), text.clone()))
            .collect();
        let mut edited = estate::parse_estate_yaml_unless_cancelled(&edited, self.is_cancelled)
            .map_err(|errors| BackOfficeError::Invalid(errors.into_iter().map(Fault::from).collect()))?;
        estate::set_origins_of_changed_settings(&state.estate, &mut edited, origin);
        let origins = estate_snapshot::setting_origins_json_by_document_path(&mut edited);
        let texts = estate::estate_to_yaml_by_path(&edited);
        check_readable(&texts)?;

        let mut next = EstateSnapshot { revision: origin.revision, ..state.clone() };
        let mut changes = Vec::new();
        for path in state.documents.keys().filter(|path| !documents.contains_key(*path)) {
            next.documents.remove(path);
            estate_snapshot::remove_place_by_path(&mut next.estate, path);
            changes.push(PlaceChange { path: path.clone(), becomes: None });
        }
        for (path, text) in texts.into_iter().filter(|(path, text)| state.documents.get(path) != Some(text)) {
            next.documents.insert(path.clone(), text.clone());
            let origins = origins.get(&path).cloned().unwrap_or_else(|| "{}".to_owned());
            changes.push(PlaceChange { path, becomes: Some(PlaceTextAndOriginsRow { text, origins }) });
        }
        estate_snapshot::add_or_replace_places(&mut next.estate, edited);
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((next, changes))
    }
}

/// Nobody reads it: the request is gone.
fn cancelled_error() -> BackOfficeError {
    BackOfficeError::Broken("the request for this change ended early".to_owned())
}

/// Makes sure that what is stored can be read again: written out, a file can be longer than it came.
fn check_readable(texts: &EstateYamlByPath) -> Result<(), BackOfficeError> {
    // A short text cannot grow beyond what is read.
    let texts: EstateYamlByPath = texts
        .iter()
        .filter(|(_, text)| text.len() > ALWAYS_READABLE_BYTES)
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    let hint = || Some("this is about the document as it would be stored, with one value a line".to_owned());
    estate::parse_estate_yaml(&texts).map(|_| ()).map_err(|errors| {
        let faults = errors.into_iter().map(|error| Fault { hint: hint(), ..Fault::from(error) });
        BackOfficeError::Invalid(faults.collect())
    })
}

/// The first findings with the file, line and column of each, the fatal ones before the others, and how many more there
/// are.
fn locate_first_findings(findings: &[EstateFaultOrWarning], documents: &EstateYamlByPath) -> Vec<Fault> {
    let shown = findings.iter().take(SHOWN_FINDINGS);
    let mut locator = SettingLocator::new(documents);
    let mut faults: Vec<Fault> = shown.map(|finding| finding.to_located_fault(&mut locator)).collect();
    if let Some(next) = findings.get(SHOWN_FINDINGS) {
        let more = findings.len() - SHOWN_FINDINGS;
        let message = format!("{more} more errors and warnings are not shown; correct these first");
        faults.push(Fault { severity: next.severity, ..Fault::new_error(message) });
    }
    faults
}
