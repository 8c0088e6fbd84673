//! Reading a manifest: known kinds, known fields, each mistake with its line and the nearest right name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    DeploymentManifest, MANIFEST_FORMAT_NAME_AND_VERSION, ManifestFieldValue,
    ResourceOrHealthCheckDeclaration,
    json_schema::{
        COMMON_HEALTH_CHECK_FIELD_SCHEMAS, COMMON_RESOURCE_FIELD_SCHEMAS, all_health_check_schemas,
        all_resource_schemas,
    },
    schema_types::{FieldSchema, ResourceOrHealthCheckKindSchema},
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
    const KEYS_SHOWN_IN_ERRORS: &'static [&'static str] = &["format", "resources", "health"];
    fn format(&self) -> &str {
        &self.format
    }
}

/// Reads a manifest and checks its shape.
pub fn parse_manifest_yaml(file: &str, text: &str) -> Result<DeploymentManifest, FormatError> {
    let document: Document = yaml::parse_versioned_yaml(file, text)?;
    if document.resources.len() + document.health.len() > MOST {
        return Err(FormatError::new(file, format!("it has more than {MOST} entries; split the component")));
    }
    let read = |list: Vec<Written>,
                kinds: &[_],
                common|
     -> Result<Vec<ResourceOrHealthCheckDeclaration>, FormatError> {
        list.into_iter().map(|written| declaration(file, written, kinds, common)).collect()
    };
    Ok(DeploymentManifest {
        file: file.to_owned(),
        resources: read(document.resources, &all_resource_schemas(), COMMON_RESOURCE_FIELD_SCHEMAS)?,
        health: read(document.health, &all_health_check_schemas(), COMMON_HEALTH_CHECK_FIELD_SCHEMAS)?,
    })
}

fn declaration(
    file: &str,
    written: Written,
    kinds: &[&ResourceOrHealthCheckKindSchema],
    common: &[FieldSchema],
) -> Result<ResourceOrHealthCheckDeclaration, FormatError> {
    let line = written.referenced.line();
    let mut fields: BTreeMap<String, ManifestFieldValue> = written
        .value
        .into_iter()
        .map(|(name, value)| (name, ManifestFieldValue { line: value.referenced.line(), value: value.value }))
        .collect();
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
        return Err(FormatError::new(&format!("{file}:{line}"), message));
    };
    let wrong = unknown(&fields, kind, common).next().map(|(name, field)| (name.clone(), field.line));
    if let Some((name, line)) = wrong {
        let names = || kind.fields.iter().chain(common).map(|(name, ..)| *name);
        let hint = match suggest_spelling(&name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("a `{}` has no field `{name}`; {hint}", kind.word);
        return Err(FormatError::new(&format!("{file}:{line}"), message));
    }
    let subject = fields.remove(kind.word).map_or(Value::Null, |field| field.value);
    Ok(ResourceOrHealthCheckDeclaration { kind: kind.word.to_owned(), subject, line, fields })
}

fn unknown<'a>(
    fields: &'a BTreeMap<String, ManifestFieldValue>,
    kind: &'a ResourceOrHealthCheckKindSchema,
    common: &'a [FieldSchema],
) -> impl Iterator<Item = (&'a String, &'a ManifestFieldValue)> {
    fields.iter().filter(move |(name, _)| {
        *name != kind.word && !kind.fields.iter().chain(common).any(|(known, ..)| known == name)
    })
}
