//! Explains values from a node alone, so that every caller gets the same answer.

use super::merge::find_nested_map_value;
use crate::{
    estate::PlaceId,
    format::dotted_path::{join_with_escaped_dots, split_unescaped_dots},
    name::{Key, Name},
    node::{Node, NodeComponent, NodeValue, RequirementProvenanceKind, ValueProvenanceEntry},
    suggest_spelling,
    value::Value,
    wire::{ExplainedMapEntry, ExplainedProvenanceEntry, Explanation},
};

/// How many entries of one map are explained by themselves.
const MAX_ENTRIES: usize = 1_000;

/// Why a key cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotExplainError(String);

/// Explains `component.parameter`, an entry of a map (`component.parameter.entry`), or the version of a whole
/// `component`.
pub fn explain_dotted_key(node: &Node, key: &str) -> Result<Explanation, CannotExplainError> {
    let mut parts = split_unescaped_dots(key).into_iter();
    let name = parts.next().unwrap_or_default();
    let Some((name, component)) = node.components.get_key_value(name.as_str()) else {
        let known: Vec<&str> = node.components.keys().map(Name::as_str).collect();
        return Err(unknown(
            format!("server {} has no component `{}`", node.server, shorten(&name)),
            &name,
            &known,
        ));
    };
    let Some(parameter) = parts.next() else { return Ok(explain_version(name, component)) };
    let Some((parameter, value)) = component.values.get_key_value(parameter.as_str()) else {
        let known: Vec<&str> = component.values.keys().map(Key::as_str).collect();
        let what = format!("on server {} `{name}` has no value for `{}`", node.server, shorten(&parameter));
        return Err(unknown(what, &parameter, &known));
    };
    let path: Vec<String> = parts.collect();
    match path.is_empty() {
        true => Ok(explain_value(name, parameter, value)),
        false => explain_entry(name, parameter, value, &path),
    }
}

/// Explains the version and every value of every component, in the order of their names.
pub fn explain_all_versions_and_values(node: &Node) -> Vec<Explanation> {
    let components = node.components.iter();
    let of_component = |(name, component): (&Name, &std::sync::Arc<NodeComponent>)| {
        let values = component.values.iter().map(|(key, value)| explain_value(name, key, value));
        std::iter::once(explain_version(name, component)).chain(values).collect::<Vec<_>>()
    };
    components.flat_map(of_component).collect()
}

fn explain_value(name: &Name, key: &Key, value: &NodeValue) -> Explanation {
    let entries = match value.secret {
        true => Vec::new(),
        false => explain_entries(value),
    };
    Explanation {
        key: format!("{name}.{key}"),
        value: (!value.secret).then(|| json(&value.value)),
        secret: value.secret,
        provenance: explain_provenance(&value.provenance, value.secret),
        entries,
    }
}

fn explain_provenance(provenance: &[ValueProvenanceEntry], secret: bool) -> Vec<ExplainedProvenanceEntry> {
    let explained = provenance.iter().map(|entry| ExplainedProvenanceEntry {
        place: entry.place.to_string(),
        value: entry.value.as_ref().filter(|_| !secret).map(|value| json(value)),
        removes: entry.removes,
        constrains: false,
        takes_away: match entry.removes && entry.effective {
            true => removed_by(entry, provenance),
            false => Vec::new(),
        },
        effective: entry.effective,
        revision: entry.origin.as_ref().map(|origin| origin.revision),
        by: entry.origin.as_ref().map(|origin| origin.by.clone()),
    });
    explained.collect()
}

/// The places whose values, or entries, a removal takes away.
fn removed_by(removal: &ValueProvenanceEntry, provenance: &[ValueProvenanceEntry]) -> Vec<String> {
    let others = provenance.iter().filter(|other| !other.removes && other.place != removal.place);
    match removal.value.as_deref().and_then(Value::as_text) {
        // An entry: the places whose maps have it.
        Some(path) => {
            let path = split_unescaped_dots(path);
            let has_entry = |other: &&ValueProvenanceEntry| {
                other.value.as_ref().is_some_and(|value| find_nested_map_value(value, &path).is_some())
            };
            others.filter(has_entry).map(|other| other.place.to_string()).collect()
        }
        // Everything: the values of places that are not effective any more.
        None => {
            let taken = |other: &&ValueProvenanceEntry| {
                !other.effective && !matches!(other.place, PlaceId::Default(_))
            };
            others.filter(taken).map(|other| other.place.to_string()).collect()
        }
    }
}

/// Which place each entry of a merged map comes from.
fn explain_entries(value: &NodeValue) -> Vec<ExplainedMapEntry> {
    let merged = value.provenance.iter().filter(|entry| entry.effective && !entry.removes).count() > 1;
    let (true, Value::Map(_)) = (merged, &*value.value) else { return Vec::new() };
    let mut entries = Vec::new();
    list_entries(&value.value, &mut Vec::new(), &value.provenance, &mut entries);
    entries
}

fn list_entries(
    value: &Value,
    path: &mut Vec<String>,
    provenance: &[ValueProvenanceEntry],
    entries: &mut Vec<ExplainedMapEntry>,
) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (key, value) in map {
                path.push(key.clone());
                list_entries(value, path, provenance, entries);
                path.pop();
            }
        }
        _ if entries.len() >= MAX_ENTRIES => (),
        value => {
            let place = entry_source(provenance, path).map(|entry| entry.place.to_string());
            entries.push(ExplainedMapEntry { path: join_with_escaped_dots(path), value: json(value), place });
        }
    }
}

/// The strongest effective place whose map has the entry. A text in the place of a map is a reference, which can hold
/// any entry.
fn entry_source<'p>(
    provenance: &'p [ValueProvenanceEntry],
    path: &[String],
) -> Option<&'p ValueProvenanceEntry> {
    let mut values = provenance.iter().filter(|entry| entry.effective && !entry.removes);
    values
        .clone()
        .find(|entry| entry.value.as_ref().is_some_and(|value| find_nested_map_value(value, path).is_some()))
        .or_else(|| values.find(|entry| entry.value.as_deref().and_then(Value::as_text).is_some()))
}

fn explain_entry(
    name: &Name,
    key: &Key,
    value: &NodeValue,
    path: &[String],
) -> Result<Explanation, CannotExplainError> {
    let full = format!("{name}.{key}.{}", join_with_escaped_dots(path));
    if value.secret {
        return Ok(Explanation {
            key: full,
            value: None,
            secret: true,
            provenance: explain_provenance(&value.provenance, true),
            entries: Vec::new(),
        });
    }
    let Some(entry) = find_nested_map_value(&value.value, path) else {
        let (parent, last) = path.split_at(path.len() - 1);
        let known: Vec<&str> = match find_nested_map_value(&value.value, parent) {
            Some(Value::Map(map)) => map.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        return Err(unknown(
            format!("`{name}.{key}` has no entry `{}`", shorten(&join_with_escaped_dots(path))),
            &last[0],
            &known,
        ));
    };
    let source = entry_source(&value.provenance, path).map(|source| &source.place);
    let of_entry = value.provenance.iter().filter_map(|provenance| {
        let at_path = provenance.value.as_ref().and_then(|value| find_nested_map_value(value, path));
        let removes_it = provenance.removes
            && provenance.value.as_deref().is_none_or(|removed| is_at_or_above(removed, path));
        let value = at_path.cloned().map(std::sync::Arc::new);
        if at_path.is_none() && !removes_it && source != Some(&provenance.place) {
            return None;
        }
        let effective = provenance.effective && (provenance.removes || source == Some(&provenance.place));
        Some(ValueProvenanceEntry { value, effective, ..provenance.clone() })
    });
    let of_entry: Vec<ValueProvenanceEntry> = of_entry.collect();
    Ok(Explanation {
        key: full,
        value: Some(json(entry)),
        secret: false,
        provenance: explain_provenance(&of_entry, false),
        entries: Vec::new(),
    })
}

/// Whether the removed entry is the one at `path`, or holds it.
fn is_at_or_above(removed: &Value, path: &[String]) -> bool {
    removed.as_text().is_some_and(|text| {
        let joined = join_with_escaped_dots(path);
        joined == text || joined.starts_with(&format!("{text}."))
    })
}

/// Explains the version of a component. The strongest place, every constraint and every requiring component are
/// effective.
fn explain_version(name: &Name, component: &NodeComponent) -> Explanation {
    let provenance = component.requirements.iter().map(|requirement| {
        let value = match &requirement.what {
            RequirementProvenanceKind::Requires(range) | RequirementProvenanceKind::Constrains(range) => {
                Some(range.to_string().into())
            }
            RequirementProvenanceKind::Removes => None,
            RequirementProvenanceKind::Excludes { version, requires } => {
                Some(format!("not {version}, which requires `{requires}`").into())
            }
        };
        ExplainedProvenanceEntry {
            place: match &requirement.place {
                PlaceId::Default(requirer) => format!("requirement of {requirer}"),
                place => place.to_string(),
            },
            value,
            removes: matches!(
                requirement.what,
                RequirementProvenanceKind::Removes | RequirementProvenanceKind::Excludes { .. }
            ),
            constrains: matches!(requirement.what, RequirementProvenanceKind::Constrains(_)),
            takes_away: match requirement.what {
                RequirementProvenanceKind::Removes if requirement.effective => {
                    let others = component.requirements.iter().filter(|other| {
                        !other.effective && matches!(other.what, RequirementProvenanceKind::Requires(_))
                    });
                    others.map(|other| other.place.to_string()).collect()
                }
                _ => Vec::new(),
            },
            effective: requirement.effective,
            revision: requirement.origin.as_ref().map(|origin| origin.revision),
            by: requirement.origin.as_ref().map(|origin| origin.by.clone()),
        }
    });
    Explanation {
        key: name.to_string(),
        value: Some(component.version.to_string().into()),
        secret: false,
        provenance: provenance.collect(),
        entries: Vec::new(),
    }
}

fn unknown(what: String, wrong: &str, known: &[&str]) -> CannotExplainError {
    CannotExplainError(match suggest_spelling(wrong, known.iter().copied()) {
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
