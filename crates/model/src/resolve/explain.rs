//! Explains a value from its node alone, so that every caller gets the same answer.

use crate::{
    estate::Place,
    name::{Key, Name},
    nearest,
    node::{Node, NodeComponent},
    value::Value,
    wire::{ExplainedProvenance, Explanation},
};

/// Why a key cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExplainError(String);

/// Explains `component.parameter`, or the version of a whole `component`.
pub fn explain(node: &Node, key: &str) -> Result<Explanation, ExplainError> {
    let (name, parameter) = match key.split_once('.') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (key, None),
    };
    let Some((name, component)) = node.components.get_key_value(name) else {
        let known: Vec<&str> = node.components.keys().map(Name::as_str).collect();
        return Err(unknown(
            format!("server {} has no component `{}`", node.server, shorten(name)),
            name,
            &known,
        ));
    };
    let Some(parameter) = parameter else { return Ok(explain_version(name, component)) };
    let Some((parameter, value)) = component.values.get_key_value(parameter) else {
        let known: Vec<&str> = component.values.keys().map(Key::as_str).collect();
        let what = format!("on server {} `{name}` has no value for `{}`", node.server, shorten(parameter));
        return Err(unknown(what, parameter, &known));
    };
    Ok(Explanation {
        key: format!("{name}.{parameter}"),
        value: (!value.secret).then(|| json(&value.value)),
        secret: value.secret,
        provenance: value
            .provenance
            .iter()
            .map(|entry| ExplainedProvenance {
                place: entry.place.to_string(),
                value: entry.value.as_ref().filter(|_| !value.secret).map(json),
                removes: entry.removes,
                effective: entry.effective,
                revision: entry.origin.as_ref().map(|origin| origin.revision),
                by: entry.origin.as_ref().map(|origin| origin.by.clone()),
            })
            .collect(),
    })
}

/// Explains the version of a component. The strongest place and every requiring component are effective.
fn explain_version(name: &Name, component: &NodeComponent) -> Explanation {
    Explanation {
        key: name.to_string(),
        value: Some(component.version.to_string().into()),
        secret: false,
        provenance: component
            .requirements
            .iter()
            .map(|requirements| ExplainedProvenance {
                place: match &requirements.place {
                    Place::Default(requirer) => format!("requirement of {requirer}"),
                    place => place.to_string(),
                },
                value: requirements.range.as_ref().map(|range| range.to_string().into()),
                removes: requirements.range.is_none(),
                effective: requirements.effective,
                revision: requirements.origin.as_ref().map(|origin| origin.revision),
                by: requirements.origin.as_ref().map(|origin| origin.by.clone()),
            })
            .collect(),
    }
}

fn unknown(what: String, wrong: &str, known: &[&str]) -> ExplainError {
    ExplainError(match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("{what}; did you mean `{near}`?"),
        None if known.is_empty() => format!("{what}; it has none"),
        None => format!("{what}; it has {}", known.join(", ")),
    })
}

fn json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
