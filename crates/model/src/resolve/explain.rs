//! Explaining: why a value is what it is, from the node alone, so that every asker gets the same answer.

use crate::{
    estate::Place,
    name::{Key, Name},
    nearest,
    node::{Node, NodeComponent},
    value::Value,
    wire::{ExplainedProvenance, Explanation},
};

/// Why something cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExplainError(String);

/// Explains `component.parameter`, or a whole `component`: who asked for it, and for which versions.
pub fn explain(node: &Node, key: &str) -> Result<Explanation, ExplainError> {
    let (name, parameter) = match key.split_once('.') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (key, None),
    };
    let Some((name, component)) = node.components.get_key_value(name) else {
        let known: Vec<&str> = node.components.keys().map(Name::as_str).collect();
        return Err(unknown(
            format!("server {} has no component `{}`", node.server, clip(name)),
            name,
            &known,
        ));
    };
    let Some(parameter) = parameter else { return Ok(version(name, component)) };
    let Some((parameter, value)) = component.values.get_key_value(parameter) else {
        let known: Vec<&str> = component.values.keys().map(Key::as_str).collect();
        let what = format!("on server {} `{name}` has no value for `{}`", node.server, clip(parameter));
        return Err(unknown(what, parameter, &known));
    };
    Ok(Explanation {
        key: format!("{name}.{parameter}"),
        value: (!value.secret).then(|| json(&value.value)),
        secret: value.secret,
        voices: value
            .voices
            .iter()
            .map(|voice| ExplainedProvenance {
                place: voice.place.to_string(),
                value: voice.value.as_ref().filter(|_| !value.secret).map(json),
                removes: voice.removes,
                counts: voice.counts,
                revision: voice.origin.as_ref().map(|origin| origin.revision),
                by: voice.origin.as_ref().map(|origin| origin.by.clone()),
            })
            .collect(),
    })
}

/// The version of a component. The strongest place and every requirer count; weaker places do not.
fn version(name: &Name, component: &NodeComponent) -> Explanation {
    Explanation {
        key: name.to_string(),
        value: Some(component.version.to_string().into()),
        secret: false,
        voices: component
            .wished
            .iter()
            .map(|wished| ExplainedProvenance {
                place: match &wished.place {
                    Place::Default(requirer) => format!("requirement of {requirer}"),
                    place => place.to_string(),
                },
                value: wished.range.as_ref().map(|range| range.to_string().into()),
                removes: wished.range.is_none(),
                counts: wished.counts,
                revision: wished.origin.as_ref().map(|origin| origin.revision),
                by: wished.origin.as_ref().map(|origin| origin.by.clone()),
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

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
