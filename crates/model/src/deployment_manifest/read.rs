//! Reading a manifest: known kinds, known fields, each mistake with its line and the nearest right name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    DeploymentManifest, MANIFEST_FORMAT_NAME_AND_VERSION, ManifestFieldValue,
    ResourceOrHealthCheckDeclaration,
    json_schema::{
        COMMON_HEALTH_CHECK_FIELDS, COMMON_RESOURCE_FIELDS, all_health_check_keywords, all_resource_keywords,
    },
    keyword_definitions::{DeclarationKeywordDefinition, FieldDefinition},
};
use crate::{
    format::{
        FormatError,
        yaml::{self, Spanned},
    },
    suggest_spelling,
    value::Value,
};

/// How many resources and health checks a manifest may have.
const MOST: usize = 2000;

type Written = Spanned<BTreeMap<String, Spanned<Value>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    #[serde(default)]
    resources: Vec<Written>,
    #[serde(default)]
    health: Vec<Written>,
}

impl yaml::VersionedYamlFormat for Document {
    const FORMAT: &'static str = MANIFEST_FORMAT_NAME_AND_VERSION;
    const KEYS_WITHOUT_SECRETS: &'static [&'static str] = &["format", "resources", "health"];
    fn format(&self) -> &str {
        &self.format
    }
}

/// A manifest read in spite of its faults.
#[derive(Debug)]
pub struct ManifestWithFaults {
    /// What could be read, without unknown fields and without what is no resource.
    pub manifest: DeploymentManifest,
    /// What is wrong with its shape; empty for a manifest without such faults.
    pub errors: Vec<FormatError>,
    /// Whether `manifest` lacks whole resources or health checks that are in the text.
    pub lacks_declarations: bool,
    /// The lines of the declarations that have an unknown field, which may be the one they lack.
    pub lines_with_unknown_fields: BTreeSet<u64>,
}

/// Reads a manifest and checks its shape; the error is the first one.
pub fn parse_manifest_yaml(file: &str, text: &str) -> Result<DeploymentManifest, FormatError> {
    let ManifestWithFaults { manifest, errors, .. } = parse_manifest_yaml_with_all_faults(file, text);
    errors.into_iter().next().map_or(Ok(manifest), Err)
}

/// Reads a manifest and reports all that is wrong with its shape.
pub fn parse_manifest_yaml_with_all_faults(file: &str, text: &str) -> ManifestWithFaults {
    let read = yaml::parse_versioned_yaml_with_all_faults::<Document>(file, text);
    let mut found = ManifestWithFaults {
        manifest: DeploymentManifest { file: file.to_owned(), resources: Vec::new(), health: Vec::new() },
        lacks_declarations: !read.errors.is_empty(),
        errors: read.errors,
        lines_with_unknown_fields: BTreeSet::new(),
    };
    let Some(document) = read.document else { return found };
    if document.resources.len() + document.health.len() > MOST {
        found
            .errors
            .push(FormatError::new(file, format!("it has more than {MOST} entries; split the component")));
        found.lacks_declarations = true;
        return found;
    }
    let resources = document.resources.into_iter();
    let resources = resources
        .filter_map(|written| found.declaration(written, &all_resource_keywords(), COMMON_RESOURCE_FIELDS));
    found.manifest.resources = resources.collect();
    let health = document.health.into_iter();
    let health = health.filter_map(|written| {
        found.declaration(written, &all_health_check_keywords(), COMMON_HEALTH_CHECK_FIELDS)
    });
    found.manifest.health = health.collect();
    found
}

impl ManifestWithFaults {
    fn add_error(&mut self, line: u64, message: String) {
        self.errors.push(FormatError::new_at_line(&self.manifest.file, line, message));
    }

    /// The declaration without its unknown fields; `None` for what is no resource or health check.
    fn declaration(
        &mut self,
        written: Written,
        kinds: &[&DeclarationKeywordDefinition],
        common: &[FieldDefinition],
    ) -> Option<ResourceOrHealthCheckDeclaration> {
        let line = written.referenced.line();
        let fields = written.value.into_iter().map(|(name, value)| {
            (name, ManifestFieldValue { line: value.referenced.line(), value: value.value })
        });
        let mut fields: BTreeMap<String, ManifestFieldValue> = fields.collect();
        // `cron` has a field `user`, `exec` a field `command`: the kind with more of the fields is meant.
        let kind = kinds
            .iter()
            .filter(|kind| fields.contains_key(kind.word))
            .min_by_key(|kind| unknown(&fields, kind, common).count());
        let Some(kind) = kind else {
            let words = || kinds.iter().map(|kind| kind.word);
            let wrong = fields.keys().find_map(|key| suggest_spelling(key, words()).map(|near| (key, near)));
            let message = match wrong {
                Some((key, near)) => format!("`{key}` is no kind of resource; did you mean `{near}`?"),
                None => format!(
                    "one of these keys must name the resource: {}",
                    words().collect::<Vec<_>>().join(", ")
                ),
            };
            self.add_error(line, message);
            self.lacks_declarations = true;
            return None;
        };
        let mut wrong: Vec<_> =
            unknown(&fields, kind, common).map(|(name, field)| (field.line, name.clone())).collect();
        wrong.sort();
        for (at, name) in wrong {
            let names = || kind.fields.iter().chain(common).map(|(name, ..)| *name);
            let hint = match suggest_spelling(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", names().collect::<Vec<_>>().join(", ")),
            };
            self.add_error(at, format!("a `{}` has no field `{name}`; {hint}", kind.word));
            self.lines_with_unknown_fields.insert(line);
            fields.remove(&name);
        }
        let subject = fields.remove(kind.word).map_or(Value::Null, |field| field.value);
        Some(ResourceOrHealthCheckDeclaration { kind: kind.word.to_owned(), subject, line, fields })
    }
}

fn unknown<'a>(
    fields: &'a BTreeMap<String, ManifestFieldValue>,
    kind: &'a DeclarationKeywordDefinition,
    common: &'a [FieldDefinition],
) -> impl Iterator<Item = (&'a String, &'a ManifestFieldValue)> {
    fields.iter().filter(move |(name, _)| {
        *name != kind.word && !kind.fields.iter().chain(common).any(|(known, ..)| known == name)
    })
}
