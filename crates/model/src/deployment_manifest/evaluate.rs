//! Filling in a manifest's holes: values in, resources out. Everything is rendered, or nothing.

mod secrets;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use self::secrets::SecretNamesAndTexts;
use super::{
    DeploymentFilesByPath, DeploymentManifest, EvaluatedManifest, ResourceOrHealthCheckDeclaration,
    field_reader::{self, DeclarationFieldReader, FilledField},
    resource_body,
};
use crate::{
    component::Component,
    format::FormatError,
    health::{self, HealthCheck},
    name::Name,
    node::ValuesOfNodeComponent,
    observe::OsFamily,
    resource::{Resource, ResourceBody, ResourceId},
    suggest_spelling,
    template::{self, TemplateError, TemplateRenderer},
    value::Value,
};

/// How many resources one manifest may give, `each` included.
const MOST: usize = 5000;

/// What a manifest's and its templates' variables stand for.
#[derive(Debug, Clone)]
pub struct ManifestVariables<'a> {
    /// `server.name`
    pub server: &'a str,
    /// `server.environment`
    pub environment: &'a str,
    /// `component.name`, `component.version`
    pub component: &'a Component,
    /// The component's own parameters, by name.
    pub values: &'a ValuesOfNodeComponent,
    /// `components.NAME.KEY`: the parameters of the other components on this server.
    pub others: BTreeMap<&'a Name, &'a ValuesOfNodeComponent>,
    /// `host.family`: `deb`, `rpm`, or an empty text in a bare folder.
    pub family: Option<OsFamily>,
}

/// The variables that are always there; no parameter can have such a name.
pub(super) const RESERVED_VARIABLES: &[&str] = &["server", "component", "components", "host", "item"];

/// Evaluates all expressions of a manifest and its templates. Returns all errors, not only the first.
pub fn evaluate_manifest(
    manifest: &DeploymentManifest,
    files: &DeploymentFilesByPath,
    scope: &ManifestVariables<'_>,
) -> Result<EvaluatedManifest, Vec<FormatError>> {
    evaluate_manifest_with_template_errors(manifest, files, scope)
        .map_err(|errors| errors.into_iter().map(FormatError::from).collect())
}

/// The same; an error knows the expression it is about.
pub(super) fn evaluate_manifest_with_template_errors(
    manifest: &DeploymentManifest,
    files: &DeploymentFilesByPath,
    scope: &ManifestVariables<'_>,
) -> Result<EvaluatedManifest, Vec<TemplateError>> {
    let mut evaluator = ManifestEvaluator {
        manifest,
        files,
        renderer: TemplateRenderer::new(&context(scope)),
        secrets: SecretNamesAndTexts::collect_secrets_of_variables(scope),
        errors: Vec::new(),
    };
    let mut evaluated = EvaluatedManifest::default();
    for declaration in &manifest.resources {
        evaluator.resources(declaration, &mut evaluated.resources);
    }
    for declaration in &manifest.health {
        evaluated.health.extend(evaluator.health(declaration));
    }
    if evaluator.errors.is_empty() {
        return Ok(evaluated);
    }
    let ManifestEvaluator { mut errors, secrets, .. } = evaluator;
    for error in &mut errors {
        error.error.message = secrets.mask_secret_texts(&error.error.message);
    }
    Err(errors)
}

fn context(scope: &ManifestVariables<'_>) -> serde_json::Map<String, serde_json::Value> {
    let plain = |values: &ValuesOfNodeComponent| -> BTreeMap<String, Arc<Value>> {
        values.iter().map(|(key, value)| (key.to_string(), value.value.clone())).collect()
    };
    let mut context = serde_json::Map::new();
    for (key, value) in plain(scope.values) {
        context.insert(key, json!(value));
    }
    let others: BTreeMap<&str, _> =
        scope.others.iter().map(|(name, values)| (name.as_str(), plain(values))).collect();
    let family = scope.family.map(|family| family.to_string()).unwrap_or_default();
    context.insert("server".into(), json!({"name": scope.server, "environment": scope.environment}));
    context.insert(
        "component".into(),
        json!({"name": scope.component.name, "version": scope.component.version}),
    );
    context.insert("components".into(), json!(others));
    context.insert("host".into(), json!({"family": family}));
    context
}

struct ManifestEvaluator<'a> {
    manifest: &'a DeploymentManifest,
    files: &'a DeploymentFilesByPath,
    renderer: TemplateRenderer,
    secrets: SecretNamesAndTexts,
    errors: Vec<TemplateError>,
}

/// One round of an `each`, or the only round without one.
struct Round<'a> {
    renderer: &'a TemplateRenderer,
    /// Whether `item` has a secret in it.
    secret: bool,
}

impl<'a> ManifestEvaluator<'a> {
    fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.manifest.file)
    }

    fn fail<T>(&mut self, result: Result<T, TemplateError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    fn resources(&mut self, declaration: &'a ResourceOrHealthCheckDeclaration, into: &mut Vec<Resource>) {
        let Some(each) = declaration.fields.get("each") else {
            let renderer = self.renderer.clone();
            into.extend(self.resource(declaration, &Round { renderer: &renderer, secret: false }));
            return;
        };
        let place = self.place(each.line);
        let filled = fill(&self.renderer, &place, &each.value);
        let secret = self.secrets.value_names_secret(&each.value);
        let items = match self.fail(filled) {
            None => return,
            Some(Value::List(items)) => items,
            Some(other) => {
                let message = format!("`each` must be a list, not {}", other.describe_with_type(secret));
                return self.errors.push(FormatError::new(&place, message).into());
            }
        };
        if into.len() + items.len() > MOST {
            let message = format!("a manifest may give {MOST} resources; this `each` gives more");
            return self.errors.push(FormatError::new(&place, message).into());
        }
        for item in items {
            let renderer = self.renderer.with_variable("item", &item);
            into.extend(self.resource(declaration, &Round { renderer: &renderer, secret }));
        }
    }

    fn resource(
        &mut self,
        declaration: &'a ResourceOrHealthCheckDeclaration,
        round: &Round<'_>,
    ) -> Option<Resource> {
        let (mut fields, name, mut secret) = self.fill(declaration, round)?;
        let found = name.describe_with_type(secret);
        let Some(text) = field_reader::scalar_to_text(name) else {
            let word = &declaration.kind;
            let message = format!("`{word}` must be a text, the path or name of the {word}, not {found}");
            self.errors.push(FormatError::new(&self.place(declaration.line), message).into());
            return None;
        };
        let template = match declaration.kind.as_str() {
            "template" => Some(self.template(declaration, round, &mut fields, &mut secret)?),
            "file" => self.verbatim(declaration, &mut fields)?,
            _ => None,
        };
        let kind = resource_body::resource_kind_from_keyword(&declaration.kind)?;
        let mut body = resource_body::read_resource_body_fields(kind, &text, &mut fields, template);
        let present = fields.read_bool_field("present").unwrap_or(true);
        if !present && matches!(declaration.kind.as_str(), "service" | "exec") {
            fields.add_declaration_error(
                "it cannot be absent; write `enabled: false` and `running: false` for a service",
            );
        }
        let require = ids(&mut fields, "require");
        let notify = ids(&mut fields, "notify");
        let wrong = !fields.errors.is_empty();
        self.errors.extend(fields.errors.drain(..).map(TemplateError::from));
        if wrong {
            return None;
        }
        // Without a stated mode, a file with a secret is readable by its owner only.
        if let ResourceBody::File(file) = &mut body
            && secret
        {
            file.ownership.mode.get_or_insert(0o600);
        }
        let id = ResourceId::new(kind, &text);
        Some(Resource { id, present, body, require, notify, secret })
    }

    fn health(&mut self, declaration: &'a ResourceOrHealthCheckDeclaration) -> Option<HealthCheck> {
        let renderer = self.renderer.clone();
        let filled = self.fill(declaration, &Round { renderer: &renderer, secret: false });
        let (mut fields, subject, secret) = filled?;
        let probe = health::read_health_probe_fields(&declaration.kind, subject, secret, &mut fields);
        let within = fields.read_unsigned_integer("within").unwrap_or(30).min(3600);
        let wrong = !fields.errors.is_empty();
        self.errors.extend(fields.errors.drain(..).map(TemplateError::from));
        Some(HealthCheck { probe: probe.filter(|_| !wrong)?, within, secret })
    }

    /// Fills in the fields of a declaration: them, its name, and whether a secret went in. `None` when
    /// its `when` is false, or an error was found.
    fn fill<'f>(
        &mut self,
        declaration: &'f ResourceOrHealthCheckDeclaration,
        round: &Round<'_>,
    ) -> Option<(DeclarationFieldReader<'f>, Value, bool)>
    where
        'a: 'f,
    {
        if let Some(when) = declaration.fields.get("when") {
            let place = self.place(when.line);
            match self.fail(fill(round.renderer, &place, &when.value))? {
                Value::Boolean(true) => (),
                Value::Boolean(false) => return None,
                other => {
                    let secret = self.secrets.value_names_secret(&when.value)
                        || (round.secret && mentions_item(&when.value));
                    let found = other.describe_with_type(secret);
                    let message = format!("`when` must be true or false, not {found}");
                    self.errors.push(FormatError::new(&place, message).into());
                    return None;
                }
            }
        }
        let place = self.place(declaration.line);
        let name = self.fail(fill(round.renderer, &place, &declaration.subject))?;
        let mut secret = round.secret && mentions_item(&declaration.subject);
        secret |= self.secrets.value_names_secret(&declaration.subject);
        let health = matches!(declaration.kind.as_str(), "http" | "tcp" | "command");
        if secret && !health {
            let message = format!("a secret cannot be part of the name of a `{}`", declaration.kind);
            self.errors.push(FormatError::new(&place, message).into());
            return None;
        }
        let before = self.errors.len();
        let mut values = BTreeMap::new();
        for (key, field) in &declaration.fields {
            if key == "each" || key == "when" {
                continue;
            }
            let of_field = self.secrets.value_names_secret(&field.value)
                || (round.secret && mentions_item(&field.value));
            secret |= of_field;
            let place = self.place(field.line);
            let filled = fill(round.renderer, &place, &field.value);
            let filled = self.fail(filled);
            let field = |value| FilledField { line: field.line, value, secret: of_field };
            values.extend(filled.map(|value| (key.as_str(), field(value))));
        }
        if self.errors.len() > before {
            return None;
        }
        let shown = if secret && health {
            "(secret)".to_owned()
        } else {
            field_reader::scalar_to_text(name.clone()).unwrap_or_default()
        };
        let what = format!("{} {shown}", declaration.kind);
        Some((DeclarationFieldReader::new(&self.manifest.file, what, declaration.line, values), name, secret))
    }

    /// The content of a rendered template.
    fn template(
        &mut self,
        declaration: &ResourceOrHealthCheckDeclaration,
        round: &Round<'_>,
        fields: &mut DeclarationFieldReader<'_>,
        secret: &mut bool,
    ) -> Option<Vec<u8>> {
        let name = fields.read_required_text("source");
        self.errors.extend(fields.errors.drain(..).map(TemplateError::from));
        let bytes = self.source(declaration, &name)?;
        let shown = format!("templates/{name}");
        let Ok(text) = std::str::from_utf8(bytes) else {
            let message = "a template must be UTF-8 text; use `file` with `source` to copy bytes as they are";
            self.errors.push(FormatError::new(&shown, message).into());
            return None;
        };
        *secret |= self.secrets.template_names_secret(text);
        *secret |= round.secret && template::find_free_variables(text).iter().any(|name| is_item(name));
        let rendered = round.renderer.render_template(&shown, text);
        self.fail(rendered).map(String::into_bytes)
    }

    /// The content of a file that is copied as it is, if it has a `source`; an outer `None` is a mistake.
    #[expect(
        clippy::option_option,
        reason = "outer None: an error that is already recorded; inner None: no source"
    )]
    fn verbatim(
        &mut self,
        declaration: &ResourceOrHealthCheckDeclaration,
        fields: &mut DeclarationFieldReader<'_>,
    ) -> Option<Option<Vec<u8>>> {
        match fields.read_optional_text("source") {
            Some(name) => self.source(declaration, &name).map(|bytes| Some(bytes.to_vec())),
            None => Some(None),
        }
    }

    fn source(&mut self, declaration: &ResourceOrHealthCheckDeclaration, name: &str) -> Option<&'a [u8]> {
        if let Some(bytes) = self.files.get(name) {
            return Some(bytes);
        }
        let hint = match suggest_spelling(name, self.files.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it as deploy/templates/{name}"),
        };
        let message = format!("its source `{name}` is not among the templates; {hint}");
        self.errors.push(FormatError::new(&self.place(declaration.line), message).into());
        None
    }
}

/// Fills in the texts of a value, at every depth.
fn fill(renderer: &TemplateRenderer, place: &str, value: &Value) -> Result<Value, TemplateError> {
    match value {
        Value::Text(text) if template::has_expressions(text) => {
            renderer.render_keeping_single_expression_type(place, text)
        }
        Value::List(list) => {
            list.iter().map(|value| fill(renderer, place, value)).collect::<Result<_, _>>().map(Value::List)
        }
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill(renderer, place, value)?)))
            .collect::<Result<_, _>>()
            .map(Value::Map),
        other => Ok(other.clone()),
    }
}

fn ids(fields: &mut DeclarationFieldReader<'_>, name: &str) -> Vec<ResourceId> {
    let mut ids = Vec::new();
    for text in fields.read_text_list(name).unwrap_or_default() {
        match ResourceId::try_from(text) {
            Ok(id) => ids.push(id),
            Err(message) => fields.add_declaration_error(&format!("{name}: {message}")),
        }
    }
    ids
}

fn mentions_item(value: &Value) -> bool {
    match value {
        Value::Text(text) => template::find_free_variables(text).iter().any(|name| is_item(name)),
        Value::List(list) => list.iter().any(mentions_item),
        Value::Map(map) => map.values().any(mentions_item),
        _ => false,
    }
}

fn is_item(name: &str) -> bool {
    name == "item" || name.starts_with("item.")
}
