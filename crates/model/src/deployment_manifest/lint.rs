//! What is wrong with a manifest before any server uses it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    DeploymentFilesByPath, DeploymentManifest, ManifestVariables, ResourceOrHealthCheckDeclaration,
    evaluate::{RESERVED_VARIABLES, evaluate_manifest_with_template_errors},
    read::parse_manifest_yaml_with_all_faults,
    resource_body,
};
use crate::{
    component::Component,
    deployment::default_owner::complete_owners_in_user_folders,
    fault::{Fault, Severity},
    format::FormatError,
    name::Key,
    node::{NodeValue, ValuesOfNodeComponent},
    parameter::ParameterType,
    resource::{Resource, ResourceId, root_owned_in_user_folder_reason},
    suggest_spelling, template,
    value::Value,
};

/// Mistakes in the text of a manifest, in its shape as in what it says, and in its templates.
pub fn lint_manifest_yaml(
    file: &str,
    text: &str,
    files: &DeploymentFilesByPath,
    component: &Component,
) -> Vec<Fault> {
    let read = parse_manifest_yaml_with_all_faults(file, text);
    let mut faults: Vec<Fault> = read.errors.into_iter().map(Fault::from).collect();
    // Much may refer to what could not be read.
    if !read.lacks_declarations {
        let further = lint_manifest(&read.manifest, files, component).into_iter().filter(|fault| {
            // The field that is missing there is probably the one that is misspelt.
            let mut misspelt = read.lines_with_unknown_fields.iter().map(|line| format!("{file}:{line}"));
            !misspelt.any(|place| place == file_and_line(fault))
        });
        faults.extend(further);
    }
    faults
}

/// Mistakes in a manifest and its templates; empty when there are none. Templates are named below `templates/`.
pub fn lint_manifest(
    manifest: &DeploymentManifest,
    files: &DeploymentFilesByPath,
    component: &Component,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in component.parameters.keys().filter(|key| RESERVED_VARIABLES.contains(&key.as_str())) {
        let message = format!("a parameter cannot be called `{name}`; templates use that name already");
        let fault = fault_in("component.yaml", None, message);
        faults.push(Fault { key: Some(name.clone()), ..fault });
    }
    let known: BTreeSet<&str> =
        component.parameters.keys().map(Key::as_str).chain(RESERVED_VARIABLES.iter().copied()).collect();
    let mut used = BTreeSet::new();
    for declaration in manifest.resources.iter().chain(&manifest.health) {
        let mut check = |line: u64, value: &Value| {
            mentions(value, &mut |names| undefined(&manifest.file, Some(line), names, &known, &mut faults));
        };
        check(declaration.line, &declaration.subject);
        for field in declaration.fields.values() {
            check(field.line, &field.value);
        }
        if let Some(Value::Text(source)) = declaration.fields.get("source").map(|field| &field.value)
            && !template::has_expressions(source)
        {
            used.insert(source.as_str());
            if declaration.kind == "template"
                && let Some(Ok(text)) = files.get(source).map(|bytes| std::str::from_utf8(bytes))
            {
                let names = template::find_free_variables(text);
                undefined(&format!("templates/{source}"), None, &names, &known, &mut faults);
            }
        }
    }
    let dynamic = manifest.resources.iter().any(|declaration| {
        matches!(declaration.fields.get("source").map(|field| &field.value), Some(Value::Text(text)) if template::has_expressions(text))
    });
    for name in files.keys().filter(|name| !dynamic && !used.contains(name.as_str())) {
        let fault = fault_in(&format!("templates/{name}"), None, "no resource uses it".to_owned());
        faults.push(Fault { severity: Severity::Warning, ..fault });
    }
    unknown_ids(manifest, &mut faults);
    // With plausible values every remaining mistake shows: missing sources, types, names.
    {
        let values = samples(component);
        let scope = ManifestVariables {
            server: "server.example",
            environment: "prod",
            component,
            values: &values,
            others: BTreeMap::new(),
            family: None,
        };
        match evaluate_manifest_with_template_errors(manifest, files, &scope) {
            Ok(evaluated) => root_owned_in_user_folders(manifest, evaluated.resources, &mut faults),
            Err(errors) => {
                // What other components' parameters hold is not known here.
                let errors =
                    errors.into_iter().filter(|error| !error.failed_expression_uses_variable("components"));
                let errors: Vec<Fault> = errors
                    .map(|error| Fault::from(FormatError::from(error)))
                    .filter(|error| !faults.iter().any(|fault| is_same_place(fault, error)))
                    .collect();
                faults.extend(errors);
            }
        }
    }
    faults
}

/// Refuses what every plan would: files of root's in folders that the manifest gives to a user.
fn root_owned_in_user_folders(
    manifest: &DeploymentManifest,
    mut resources: Vec<Resource>,
    faults: &mut Vec<Fault>,
) {
    complete_owners_in_user_folders(&mut resources);
    let by_id: BTreeMap<&ResourceId, &Resource> =
        resources.iter().map(|resource| (&resource.id, resource)).collect();
    for resource in resources.iter().filter(|resource| resource.present) {
        let described = |id: &ResourceId| by_id.get(id).copied();
        let Some(because) = root_owned_in_user_folder_reason(resource, described) else { continue };
        let declaration = manifest
            .resources
            .iter()
            .find(|declaration| declaration.subject.as_text() == Some(resource.id.name.as_str()));
        let line = declaration.map(|declaration| declaration.line);
        faults.push(fault_in(&manifest.file, line, format!("`{}`: {because}", resource.id)));
    }
}

/// Whether `further` is probably what follows from `fault`: an error of the same line, or of a file whose error has no line.
fn is_same_place(fault: &Fault, further: &Fault) -> bool {
    let (at, further) = (file_and_line(fault), file_and_line(further));
    fault.severity == Severity::Error
        && (at == further || further.strip_prefix(&at).is_some_and(|rest| rest.starts_with(':')))
}

/// `manifest.yaml:7`, whichever of the two fields has the line.
fn file_and_line(fault: &Fault) -> String {
    let file = fault.file.as_deref().unwrap_or_default();
    match fault.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

fn fault_in(file: &str, line: Option<u64>, message: String) -> Fault {
    Fault { file: Some(file.to_owned()), line, ..Fault::new_error(message) }
}

fn mentions(value: &Value, tell: &mut impl FnMut(&BTreeSet<String>)) {
    match value {
        Value::Text(text) => tell(&template::find_free_variables(text)),
        Value::List(list) => list.iter().for_each(|value| mentions(value, tell)),
        Value::Map(map) => map.values().for_each(|value| mentions(value, tell)),
        _ => (),
    }
}

fn undefined(
    file: &str,
    line: Option<u64>,
    names: &BTreeSet<String>,
    known: &BTreeSet<&str>,
    faults: &mut Vec<Fault>,
) {
    for name in names {
        let first = name.split('.').next().unwrap_or(name);
        if known.contains(first) {
            continue;
        }
        let hint = match suggest_spelling(first, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `parameters:` in component.yaml".to_owned(),
        };
        let fault = fault_in(file, line, format!("`{first}` is no parameter of this component"));
        faults.push(Fault { hint: Some(hint), ..fault });
    }
}

/// Checks that `require` and `notify` name resources of the manifest, as far as names are constant.
fn unknown_ids(manifest: &DeploymentManifest, faults: &mut Vec<Fault>) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for declaration in &manifest.resources {
        let Some(kind) = resource_body::resource_kind_from_keyword(&declaration.kind) else { continue };
        match &declaration.subject {
            Value::Text(name) if template::has_expressions(name) => _ = open.insert(kind.manifest_keyword()),
            Value::Text(name) => _ = known.insert(format!("{}:{name}", kind.manifest_keyword())),
            _ => (),
        }
    }
    for declaration in &manifest.resources {
        for (line, id) in references(declaration) {
            let mut found = |message: String, hint: Option<String>| {
                faults.push(Fault { hint, ..fault_in(&manifest.file, Some(line), message) });
            };
            match ResourceId::try_from(id.to_owned()) {
                Err(message) => found(message, None),
                Ok(parsed) if open.contains(parsed.kind.manifest_keyword()) || known.contains(id) => (),
                Ok(_) => {
                    let near = suggest_spelling(id, known.iter().map(String::as_str));
                    let hint = near.map(|near| format!("did you mean `{near}`?"));
                    found(format!("this manifest has no `{id}`"), hint);
                }
            }
        }
    }
}

fn references(declaration: &ResourceOrHealthCheckDeclaration) -> impl Iterator<Item = (u64, &str)> {
    let fields = ["require", "notify"].into_iter().filter_map(|name| declaration.fields.get(name));
    fields.flat_map(|field| {
        let list = match &field.value {
            Value::List(list) => list.as_slice(),
            _ => &[],
        };
        let texts = list.iter().filter_map(Value::as_text).filter(|text| !template::has_expressions(text));
        texts.map(|text| (field.line, text))
    })
}

/// A value for each parameter: its default, or one its type allows.
fn samples(component: &Component) -> ValuesOfNodeComponent {
    let value = |parameter: &crate::parameter::Parameter| match (&parameter.default, parameter.kind) {
        (_, ParameterType::Servers) => Value::List(Vec::new()),
        (Some(default), _) => Value::clone(default),
        (None, ParameterType::String) => {
            Value::Text(parameter.one_of.first().cloned().unwrap_or_else(|| "text".to_owned()))
        }
        (None, ParameterType::Integer) => Value::Integer(parameter.min.unwrap_or(1)),
        (None, ParameterType::Number) => Value::Number(1.0),
        (None, ParameterType::Boolean) => Value::Boolean(true),
        (None, ParameterType::Port) => Value::Integer(8080),
        (None, ParameterType::Path) => Value::from("/path"),
        (None, ParameterType::Host) => Value::from("host.example"),
        (None, ParameterType::Ip) => Value::from("192.0.2.1"),
        (None, ParameterType::Url) => Value::from("http://host.example/"),
        (None, ParameterType::List | ParameterType::StringList) => Value::List(Vec::new()),
        (None, ParameterType::Map) => Value::Map(BTreeMap::new()),
    };
    component
        .parameters
        .iter()
        .map(|(key, parameter)| {
            let value = NodeValue {
                value: Arc::new(value(parameter)),
                secret: parameter.secret,
                provenance: Arc::default(),
            };
            (key.clone(), Arc::new(value))
        })
        .collect()
}
