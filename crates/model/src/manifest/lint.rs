//! What is wrong with a manifest before any server uses it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DeploymentFiles, EvaluationContext, Manifest, ResourceDeclaration, build,
    evaluate::{RESERVED, evaluate},
};
use crate::{
    component::Component, name::Key, nearest, node::NodeValue, parameter::ParameterType,
    resource::ResourceId, template, value::Value,
};

/// Mistakes in a manifest and its templates, as sentences with their place; empty when there are none.
pub fn lint_manifest(manifest: &Manifest, files: &DeploymentFiles, component: &Component) -> Vec<String> {
    let mut notes = Vec::new();
    for name in component.parameters.keys().filter(|key| RESERVED.contains(&key.as_str())) {
        notes.push(format!(
            "component.yaml: a parameter cannot be called `{name}`; templates use that name already"
        ));
    }
    let known: BTreeSet<&str> =
        component.parameters.keys().map(Key::as_str).chain(RESERVED.iter().copied()).collect();
    let mut used = BTreeSet::new();
    for declaration in manifest.resources.iter().chain(&manifest.health) {
        let place = |line: u64| format!("{}:{line}", manifest.file);
        mentions(&declaration.subject, &mut |names| {
            undefined(&place(declaration.line), names, &known, &mut notes)
        });
        for field in declaration.fields.values() {
            mentions(&field.value, &mut |names| undefined(&place(field.line), names, &known, &mut notes));
        }
        if let Some(Value::Text(source)) = declaration.fields.get("source").map(|field| &field.value)
            && !template::has_expressions(source)
        {
            used.insert(source.as_str());
            if declaration.kind == "template"
                && let Some(Ok(text)) = files.get(source).map(|bytes| std::str::from_utf8(bytes))
            {
                let names = template::undeclared_variables(text);
                undefined(&format!("templates/{source}"), &names, &known, &mut notes);
            }
        }
    }
    let dynamic = manifest.resources.iter().any(|declaration| {
        matches!(declaration.fields.get("source").map(|field| &field.value), Some(Value::Text(text)) if template::has_expressions(text))
    });
    for name in files.keys().filter(|name| !dynamic && !used.contains(name.as_str())) {
        notes.push(format!("templates/{name}: no resource uses it"));
    }
    unknown_ids(manifest, &mut notes);
    if notes.is_empty() {
        // With plausible values every remaining mistake shows: missing sources, types, names.
        let values = samples(component);
        let scope = EvaluationContext {
            server: "server.example",
            environment: "prod",
            component,
            values: &values,
            others: BTreeMap::new(),
            family: None,
        };
        if let Err(errors) = evaluate(manifest, files, &scope) {
            // What other components' parameters hold is not known here.
            let errors = errors.iter().filter(|error| !error.uses_variable("components"));
            notes.extend(errors.map(ToString::to_string));
        }
    }
    notes
}

fn mentions(value: &Value, tell: &mut impl FnMut(&BTreeSet<String>)) {
    match value {
        Value::Text(text) => tell(&template::undeclared_variables(text)),
        Value::List(list) => list.iter().for_each(|value| mentions(value, tell)),
        Value::Map(map) => map.values().for_each(|value| mentions(value, tell)),
        _ => (),
    }
}

fn undefined(place: &str, names: &BTreeSet<String>, known: &BTreeSet<&str>, notes: &mut Vec<String>) {
    for name in names {
        let first = name.split('.').next().unwrap_or(name);
        if known.contains(first) {
            continue;
        }
        let hint = match nearest(first, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `parameters:` in component.yaml".to_owned(),
        };
        notes.push(format!("{place}: `{first}` is no parameter of this component; {hint}"));
    }
}

/// Checks that `require` and `notify` name resources of the manifest, as far as names are constant.
fn unknown_ids(manifest: &Manifest, notes: &mut Vec<String>) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for declaration in &manifest.resources {
        let Some(kind) = build::resource_kind(&declaration.kind) else { continue };
        match &declaration.subject {
            Value::Text(name) if template::has_expressions(name) => _ = open.insert(kind.keyword()),
            Value::Text(name) => _ = known.insert(format!("{}:{name}", kind.keyword())),
            _ => (),
        }
    }
    for declaration in &manifest.resources {
        for (line, id) in references(declaration) {
            let place = format!("{}:{line}", manifest.file);
            match ResourceId::try_from(id.to_owned()) {
                Err(message) => notes.push(format!("{place}: {message}")),
                Ok(parsed) if open.contains(parsed.kind.keyword()) || known.contains(id) => (),
                Ok(_) => {
                    let hint = match nearest(id, known.iter().map(String::as_str)) {
                        Some(near) => format!("; did you mean `{near}`?"),
                        None => String::new(),
                    };
                    notes.push(format!("{place}: this manifest has no `{id}`{hint}"));
                }
            }
        }
    }
}

fn references(declaration: &ResourceDeclaration) -> impl Iterator<Item = (u64, &str)> {
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
fn samples(component: &Component) -> BTreeMap<Key, NodeValue> {
    let value = |parameter: &crate::parameter::Parameter| match (&parameter.default, parameter.kind) {
        (Some(default), _) => default.clone(),
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
            let value =
                NodeValue { value: value(parameter), secret: parameter.secret, provenance: Vec::new() };
            (key.clone(), value)
        })
        .collect()
}
