//! `/edit/FOLDER/NAME`: a person changes a role, group, environment or server, sees what that does, and commits it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use model::{
    estate::PlaceId,
    fault::{Fault, Severity},
    name::{Name, ServerName},
    version::VersionRange,
    wire::{EstateChangeResult, ServersWithSameEffectDescriptions},
};
use serde::Deserialize;

use crate::{
    auth::{Operator, UnscopedPermit, Viewer},
    backoffice::{BackOfficeError, DocumentToEdit, EditedDocument, PageRequest, with_required_component},
    store::StoreError,
    web::{form::VisitorForm, frame::Frame, page_error::PageError, page_state::PageState, visitor::Visitor},
};

/// How many servers of one effect are named.
const NAMED_SERVERS: usize = 40;

/// The fields of the form.
#[derive(Debug, Default, Deserialize)]
pub(super) struct EditFields {
    #[serde(default)]
    text: String,
    #[serde(default)]
    message: String,
    /// The revision that was edited.
    #[serde(default)]
    base: String,
    #[serde(default)]
    component: String,
    #[serde(default)]
    range: String,
    /// `yes` when the place is to be removed.
    #[serde(default)]
    remove: String,
    /// What is asked for: `preview`, `commit`, `add-component`, `preview-removal`.
    action: String,
}

struct EffectBlock {
    /// `takes_away` and the sentence of each.
    effects: Vec<(bool, String)>,
    servers: usize,
    named: Vec<String>,
    /// How many servers are not named.
    more: usize,
}

#[derive(Default)]
struct Preview {
    /// What was checked.
    is_there: bool,
    servers: usize,
    blocks: Vec<EffectBlock>,
    /// What changes in the document.
    diff: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    changes_nothing: bool,
}

#[derive(Template)]
#[template(path = "pages/edit.html")]
struct EditTemplate {
    frame: Frame,
    /// `role`
    kind: &'static str,
    folder: String,
    name: String,
    exists: bool,
    text: String,
    message: String,
    base: u64,
    removes: bool,
    components: Vec<String>,
    faults: Vec<String>,
    /// Somebody else changed the place meanwhile: what is stored now.
    overtaken_by: String,
    preview: Preview,
}

/// The place of an address.
struct EditedPlace {
    kind: &'static str,
    noun: &'static str,
    folder: String,
    name: String,
    place: PlaceId,
}

fn parse_place(folder: &str, name: &str) -> Result<EditedPlace, PageError> {
    let plain = |_| {
        PageError::from(BackOfficeError::Refused(format!(
            "`{}` is no name: it begins with a letter and has lower-case letters, digits and hyphens",
            name.chars().take(80).collect::<String>()
        )))
    };
    let (kind, noun, place) = match folder {
        "roles" => ("role", "/roles", PlaceId::Role(Name::new(name).map_err(|_| plain(()))?)),
        "groups" => ("group", "/groups", PlaceId::Group(Name::new(name).map_err(|_| plain(()))?)),
        "environments" => {
            ("environment", "/environments", PlaceId::Environment(Name::new(name).map_err(|_| plain(()))?))
        }
        "servers" => ("server", "/servers", PlaceId::Server(ServerName::new(name).map_err(|_| plain(()))?)),
        _ => return Err(PageError::no_such_page()),
    };
    Ok(EditedPlace { kind, noun, folder: folder.to_owned(), name: name.to_owned(), place })
}

/// Shows the form.
pub(super) async fn show_edit_form(
    State(state): State<PageState>,
    visitor: Visitor,
    Path((folder, name)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let place = parse_place(&folder, &name)?;
    let permit = visitor.require_access_level_somewhere::<Operator>()?;
    let document = state.back_office.read_document_to_edit(&permit, &place.place).await?;
    let text = if document.exists { document.text.clone() } else { new_document(place.kind).to_owned() };
    let fields = EditFields { text, ..EditFields::default() };
    let outcome = EditOutcome::default();
    render(&state, &visitor, place, &document, fields, outcome).await
}

/// What a place of a kind begins with.
fn new_document(kind: &str) -> &'static str {
    match kind {
        "server" => "format: geppetto/server/2\nenvironment: prod\nroles: []\n",
        "environment" => "format: geppetto/environment/1\nchannel: prod\n",
        "group" => "format: geppetto/group/1\ndescription: \"\"\n",
        _ => "format: geppetto/role/1\ndescription: \"\"\n",
    }
}

/// What came of what was sent.
#[derive(Default)]
struct EditOutcome {
    faults: Vec<String>,
    overtaken: bool,
    result: Option<EstateChangeResult>,
    removes: bool,
}

/// Previews an edit, commits it, or adds a component to what is edited.
pub(super) async fn preview_or_commit(
    State(state): State<PageState>,
    Path((folder, name)): Path<(String, String)>,
    VisitorForm { visitor, mut fields }: VisitorForm<EditFields>,
) -> Result<Response, PageError> {
    let place = parse_place(&folder, &name)?;
    let permit = visitor.require_access_level_somewhere::<Operator>()?;
    let document = state.back_office.read_document_to_edit(&permit, &place.place).await?;
    let mut outcome = EditOutcome {
        removes: fields.remove == "yes" || fields.action == "preview-removal",
        ..EditOutcome::default()
    };
    fields.text = fields.text.replace("\r\n", "\n");
    if fields.action == "add-component" {
        match add_component(&document.path, &fields) {
            Ok(text) => fields.text = text,
            Err(error) => {
                outcome.faults = fault_lines(&error);
                return render(&state, &visitor, place, &document, fields, outcome).await;
            }
        }
    }
    let base = fields.base.parse().unwrap_or(document.revision);
    let is_commit = fields.action == "commit";
    let edited = EditedDocument {
        path: document.path.clone(),
        text: (!outcome.removes).then(|| fields.text.clone()),
        base,
        message: match fields.message.trim() {
            "" => "edited on a page".to_owned(),
            given => given.to_owned(),
        },
    };
    match state.back_office.commit_or_preview_edited_document(&permit, edited, !is_commit).await {
        Ok(EstateChangeResult { revision: Some(revision), .. }) => {
            return Ok(Redirect::to(&format!("/revisions/{revision}")).into_response());
        }
        Ok(result) => outcome.result = Some(result),
        Err(
            error @ (BackOfficeError::Conflict(_) | BackOfficeError::Store(StoreError::Overtaken { .. })),
        ) => {
            outcome.overtaken = true;
            outcome.faults = vec![error.to_string()];
        }
        Err(
            error @ (BackOfficeError::Invalid(_) | BackOfficeError::Refused(_) | BackOfficeError::Denied(_)),
        ) => {
            outcome.faults = fault_lines(&error);
        }
        Err(error) => return Err(error.into()),
    }
    render(&state, &visitor, place, &document, fields, outcome).await
}

fn add_component(path: &str, fields: &EditFields) -> Result<String, BackOfficeError> {
    let component = Name::new(fields.component.trim())
        .map_err(|_| BackOfficeError::Refused("choose a component".to_owned()))?;
    let range = match fields.range.trim() {
        "" => VersionRange::range_of_any_version(),
        range => range
            .parse()
            .map_err(|error: model::version::VersionError| BackOfficeError::Refused(error.to_string()))?,
    };
    with_required_component(path, &fields.text, &component, &range)
}

fn fault_lines(error: &BackOfficeError) -> Vec<String> {
    match error {
        BackOfficeError::Invalid(faults) => faults.iter().map(fault_line).collect(),
        other => vec![other.to_string()],
    }
}

fn fault_line(fault: &Fault) -> String {
    let mut line = String::new();
    if let Some(number) = fault.line {
        line.push_str(&format!("line {number}: "));
    }
    line.push_str(&fault.message);
    if let Some(hint) = &fault.hint {
        line.push_str(&format!(" ({hint})"));
    }
    line
}

async fn render(
    state: &PageState,
    visitor: &Visitor,
    place: EditedPlace,
    document: &DocumentToEdit,
    fields: EditFields,
    outcome: EditOutcome,
) -> Result<Response, PageError> {
    let permit: UnscopedPermit<Viewer> = visitor.require_access_level_somewhere()?;
    let all = PageRequest { limit: 1000, after: None };
    let components = state.back_office.list_components_with_newest_versions(&permit, &all).await?;
    let EditedPlace { kind, noun, folder, name, .. } = place;
    let title = if document.exists { format!("Edit {kind} {name}") } else { format!("New {kind} {name}") };
    let page = EditTemplate {
        frame: Frame::new(visitor, noun, title, "punch import DIR --dry-run"),
        kind,
        folder,
        name,
        exists: document.exists,
        overtaken_by: if outcome.overtaken { document.text.clone() } else { String::new() },
        // Who looks at what is stored now decides on it: the next preview and commit are made from that.
        base: if outcome.overtaken {
            document.revision
        } else {
            fields.base.parse().unwrap_or(document.revision)
        },
        text: fields.text,
        message: fields.message,
        removes: outcome.removes,
        components: components.items.into_iter().map(|component| component.name).collect(),
        preview: outcome.result.map(preview).unwrap_or_default(),
        faults: outcome.faults,
    };
    let status = match page.faults.is_empty() {
        true => axum::http::StatusCode::OK,
        false => axum::http::StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn preview(result: EstateChangeResult) -> Preview {
    let EstateChangeResult { places, effects, warnings, .. } = result;
    let mut blocks: Vec<EffectBlock> = effects.into_iter().map(effect_block).collect();
    // What takes something away is on top.
    blocks.sort_by_key(|block| !block.effects.iter().any(|(takes_away, _)| *takes_away));
    let diff = places.iter().filter_map(|place| place.diff.as_deref()).flat_map(str::lines).map(|line| {
        let class = match line.as_bytes().first() {
            Some(b'+') => "added",
            Some(b'-') => "removed",
            _ => "context",
        };
        (class, line.to_owned())
    });
    Preview {
        is_there: true,
        servers: blocks.iter().map(|block| block.servers).sum(),
        diff: diff.collect(),
        warnings: warnings
            .iter()
            .map(|fault| match fault.severity {
                Severity::Error => format!("is broken already: {}", fault_line(fault)),
                Severity::Warning => fault_line(fault),
            })
            .collect(),
        changes_nothing: places.is_empty(),
        blocks,
    }
}

fn effect_block(group: ServersWithSameEffectDescriptions) -> EffectBlock {
    let servers = group.servers.len();
    EffectBlock {
        effects: group.effects.into_iter().map(|effect| (effect.takes_away, effect.text)).collect(),
        servers,
        more: servers.saturating_sub(NAMED_SERVERS),
        named: group.servers.into_iter().take(NAMED_SERVERS).collect(),
    }
}
