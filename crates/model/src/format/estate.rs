//! The estate as a folder: `roles/`, `groups/`, `environments/` and `servers/`, one file an object.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    environment, group, role, server,
    yaml::{self, FormatError, Spanned},
};
use crate::{
    estate::{Estate, PlaceId, PlaceSettings, RevisionAndAuthor, VersionRangeWithRevisionAndAuthor},
    name::{Key, Name, ServerName},
    suggest_spelling,
};

/// File texts by path inside the folder: `roles/web.yaml`.
pub type EstateYamlByPath = BTreeMap<String, String>;

/// The folders, in the order of the words.
pub const ESTATE_FOLDERS: [&str; 4] = ["roles", "groups", "environments", "servers"];

/// Reads all files; the errors are of all files, not of the first.
pub fn parse_estate_yaml(documents: &EstateYamlByPath) -> Result<Estate, Vec<FormatError>> {
    parse_estate_yaml_unless_cancelled(documents, &AtomicBool::new(false))
}

/// Like [`parse_estate_yaml`]; reads no further file once `is_cancelled` is set.
pub fn parse_estate_yaml_unless_cancelled(
    documents: &EstateYamlByPath,
    is_cancelled: &AtomicBool,
) -> Result<Estate, Vec<FormatError>> {
    let mut estate = Estate::default();
    let mut errors = Vec::new();
    for (path, text) in documents.iter().take_while(|_| !is_cancelled.load(Ordering::Relaxed)) {
        if let Err(faults) = add_document(&mut estate, path, text) {
            errors.extend(faults);
        }
    }
    if errors.is_empty() { Ok(estate) } else { Err(errors) }
}

/// Returns the text of every object's file, by its path. `read(write(estate))` is the estate, but for origins.
pub fn estate_to_yaml_by_path(estate: &Estate) -> EstateYamlByPath {
    let mut documents = EstateYamlByPath::new();
    for (name, object) in &estate.roles {
        documents.insert(format!("roles/{name}.yaml"), role::role_to_yaml(object));
    }
    for (name, object) in &estate.groups {
        documents.insert(format!("groups/{name}.yaml"), group::group_to_yaml(object));
    }
    for (name, object) in &estate.environments {
        documents.insert(format!("environments/{name}.yaml"), environment::environment_to_yaml(object));
    }
    for (name, object) in &estate.servers {
        documents.insert(format!("servers/{name}.yaml"), server::server_to_yaml(object));
    }
    documents
}

/// The path of a place's file; a component's defaults have none here.
pub fn document_path_of_place(place: &PlaceId) -> Option<String> {
    match place {
        PlaceId::Role(name) => Some(format!("roles/{name}.yaml")),
        PlaceId::Group(name) => Some(format!("groups/{name}.yaml")),
        PlaceId::Environment(name) => Some(format!("environments/{name}.yaml")),
        PlaceId::Server(name) => Some(format!("servers/{name}.yaml")),
        PlaceId::Default(_) => None,
    }
}

/// The place a path of the folder is the file of.
pub fn place_of_document_path(path: &str) -> Result<PlaceId, FormatError> {
    let wrong = |message: String| FormatError::new(path, message);
    let (folder, file) = path.split_once('/').unwrap_or(("", path));
    if !ESTATE_FOLDERS.contains(&folder) {
        return Err(wrong(match suggest_spelling(folder, ESTATE_FOLDERS) {
            Some(near) => format!("there is no folder `{folder}/` in an estate; did you mean `{near}/`?"),
            None => format!("it is in none of the folders of an estate: {}/", ESTATE_FOLDERS.join("/, ")),
        }));
    }
    let Some(stem) = file.strip_suffix(".yaml") else {
        let rename = file.strip_suffix(".yml").map(|stem| format!("; rename it to `{stem}.yaml`"));
        return Err(wrong(format!(
            "a file in `{folder}/` must be named NAME.yaml{}",
            rename.unwrap_or_default()
        )));
    };
    let name = || Name::new(stem).map_err(|error| wrong(format!("its file name must be a name: {error}")));
    Ok(match folder {
        "roles" => PlaceId::Role(name()?),
        "groups" => PlaceId::Group(name()?),
        "environments" => PlaceId::Environment(name()?),
        _ => PlaceId::Server(
            ServerName::new(stem)
                .map_err(|error| wrong(format!("its file name must be a server's name: {error}")))?,
        ),
    })
}

/// Keeps the origins of requirements, values and removals that `old` has unchanged, and gives all
/// others `origin`.
pub fn set_origins_of_changed_settings(old: &Estate, new: &mut Estate, origin: &RevisionAndAuthor) {
    for (name, role) in &mut new.roles {
        carry_place_origins(old.roles.get(name).map(|old| &old.settings), &mut role.settings, origin);
    }
    for (name, group) in &mut new.groups {
        carry_place_origins(old.groups.get(name).map(|old| &old.settings), &mut group.settings, origin);
    }
    for (name, environment) in &mut new.environments {
        carry_place_origins(
            old.environments.get(name).map(|old| &old.settings),
            &mut environment.settings,
            origin,
        );
    }
    for (name, server) in &mut new.servers {
        carry_place_origins(old.servers.get(name).map(|old| &old.settings), &mut server.settings, origin);
    }
}

fn carry_place_origins(old: Option<&PlaceSettings>, new: &mut PlaceSettings, origin: &RevisionAndAuthor) {
    let update = |old: Option<&BTreeMap<Name, VersionRangeWithRevisionAndAuthor>>,
                  new: &mut BTreeMap<Name, VersionRangeWithRevisionAndAuthor>| {
        for (name, requirement) in new {
            requirement.origin = match old.and_then(|old| old.get(name)) {
                Some(before) if before.range == requirement.range => before.origin.clone(),
                _ => Some(origin.clone()),
            };
        }
    };
    update(old.map(|old| &old.components), &mut new.components);
    update(old.map(|old| &old.versions), &mut new.versions);
    for removed in &mut new.remove {
        let before = old.and_then(|old| old.remove.iter().find(|before| before.what == removed.what));
        removed.origin = before.map_or_else(|| Some(origin.clone()), |before| before.origin.clone());
    }
    for (name, values) in &mut new.values {
        let before = old.and_then(|old| old.values.get(name));
        for (key, assignment) in values {
            assignment.origin = match before.and_then(|values| values.get(key)) {
                Some(before) if before.value == assignment.value => before.origin.clone(),
                _ => Some(origin.clone()),
            };
        }
    }
}

/// The author and revision of each setting of a place; stored beside its document, which does not hold them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingRevisionsAndAuthors {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<Name, RevisionAndAuthor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<Name, RevisionAndAuthor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<Name, BTreeMap<Key, RevisionAndAuthor>>,
    /// By the removal as it is written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    remove: BTreeMap<String, RevisionAndAuthor>,
}

impl SettingRevisionsAndAuthors {
    /// Collects the origins of a place's settings.
    pub fn from_place_settings(settings: &PlaceSettings) -> Self {
        let mut origins = Self::default();
        for (name, requirement) in &settings.components {
            origins.components.extend(requirement.origin.clone().map(|origin| (name.clone(), origin)));
        }
        for (name, constraint) in &settings.versions {
            origins.versions.extend(constraint.origin.clone().map(|origin| (name.clone(), origin)));
        }
        for (name, values) in &settings.values {
            let values =
                values.iter().filter_map(|(key, assignment)| Some((key.clone(), assignment.origin.clone()?)));
            origins.values.insert(name.clone(), values.collect());
        }
        for removed in &settings.remove {
            origins.remove.extend(removed.origin.clone().map(|origin| (removed.what.to_string(), origin)));
        }
        origins
    }

    /// Sets the stored origins on a place's settings.
    pub fn restore_to_place_settings(&self, settings: &mut PlaceSettings) {
        for (name, requirement) in &mut settings.components {
            requirement.origin = self.components.get(name).cloned();
        }
        for (name, constraint) in &mut settings.versions {
            constraint.origin = self.versions.get(name).cloned();
        }
        for (name, values) in &mut settings.values {
            for (key, assignment) in values {
                assignment.origin = self.values.get(name).and_then(|keys| keys.get(key)).cloned();
            }
        }
        for removed in &mut settings.remove {
            removed.origin = self.remove.get(&removed.what.to_string()).cloned();
        }
    }
}

fn add_document(estate: &mut Estate, path: &str, text: &str) -> Result<(), Vec<FormatError>> {
    match place_of_document_path(path).map_err(|error| vec![error])? {
        PlaceId::Role(name) => _ = estate.roles.insert(name, role::parse_role_yaml(path, text)?),
        PlaceId::Group(name) => _ = estate.groups.insert(name, group::parse_group_yaml(path, text)?),
        PlaceId::Environment(name) => {
            _ = estate.environments.insert(name, environment::parse_environment_yaml(path, text)?)
        }
        PlaceId::Server(name) => _ = estate.servers.insert(name, server::parse_server_yaml(path, text)?),
        // `place` never makes one.
        PlaceId::Default(_) => (),
    }
    Ok(())
}

/// Finds the lines of settings in documents. Each document is read once, however many faults are in it, and none before
/// there is a fault to show.
pub struct SettingLocator<'d> {
    documents: &'d EstateYamlByPath,
    /// By path; `None` when the document cannot be read.
    read: BTreeMap<String, Option<DocumentSpans>>,
}

impl<'d> SettingLocator<'d> {
    /// A locator of settings in these documents.
    pub fn new(documents: &'d EstateYamlByPath) -> Self {
        Self { documents, read: BTreeMap::new() }
    }

    /// Finds where a place's document sets a parameter, a component, or a name listed under `inherits`, `groups`,
    /// `roles`, `environment`, `channel` or `remove`: the path, with line and column when they are found.
    pub fn locate_setting(
        &mut self,
        place: &PlaceId,
        component: Option<&str>,
        key: Option<&str>,
        list_entry: Option<&str>,
    ) -> Option<(String, Option<(u64, u64)>)> {
        let path = document_path_of_place(place)?;
        let text = self.documents.get(&path)?;
        let read = || yaml::parse_yaml::<DocumentSpans>(&path, text).ok();
        let spans = self.read.entry(path.clone()).or_insert_with(read);
        let location = spans.as_ref().and_then(|spans| spans.find(component, key, list_entry));
        Some((path, location))
    }
}

/// Any place's file, with lines.
#[derive(Deserialize)]
struct DocumentSpans {
    #[serde(default)]
    components: BTreeMap<String, Spanned<IgnoredAny>>,
    #[serde(default)]
    versions: BTreeMap<String, Spanned<IgnoredAny>>,
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Spanned<IgnoredAny>>>,
    #[serde(default)]
    inherits: Vec<Spanned<String>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    #[serde(default)]
    remove: Vec<Spanned<String>>,
    environment: Option<Spanned<String>>,
    channel: Option<Spanned<String>>,
}

impl DocumentSpans {
    fn find(
        &self,
        component: Option<&str>,
        key: Option<&str>,
        list_entry: Option<&str>,
    ) -> Option<(u64, u64)> {
        let lists = [&self.remove, &self.inherits, &self.groups, &self.roles].into_iter().flatten();
        let mut names = lists.chain(&self.environment).chain(&self.channel);
        if let Some(name) = names.find(|name| Some(name.value.as_str()) == list_entry) {
            return Some((name.referenced.line(), name.referenced.column()));
        }
        let values = self.values.get(component?);
        let location = |span: &Spanned<IgnoredAny>| (span.referenced.line(), span.referenced.column());
        match key {
            Some(key) => values?.get(key).map(location),
            None => {
                let requirement = self.components.get(component?).or_else(|| self.versions.get(component?));
                requirement.map(location).or_else(|| values?.values().map(location).min())
            }
        }
    }
}
