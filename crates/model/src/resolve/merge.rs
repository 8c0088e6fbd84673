//! Merging: the values of several places become one.

use std::collections::{BTreeMap, HashSet};

use crate::{parameter::MergeStrategy, value::Value};

/// Merges values of several places, strongest first.
///
/// On failure the index of the first value that is not of the shape the merge needs.
pub(super) fn merge(how: MergeStrategy, values: Vec<Value>) -> Result<Option<Value>, usize> {
    match how {
        MergeStrategy::Replace => Ok(values.into_iter().next()),
        MergeStrategy::Append => append(values),
        MergeStrategy::Deep => deep(values),
    }
}

fn append(values: Vec<Value>) -> Result<Option<Value>, usize> {
    if values.is_empty() {
        return Ok(None);
    }
    let mut visited = HashSet::new();
    let mut joined = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        let Value::List(items) = value else { return Err(at) };
        joined.extend(items.into_iter().filter(|item| visited.insert(item.to_string())));
    }
    Ok(Some(Value::List(joined)))
}

fn deep(values: Vec<Value>) -> Result<Option<Value>, usize> {
    let mut merged: Option<BTreeMap<String, Value>> = None;
    for (at, value) in values.into_iter().enumerate() {
        let Value::Map(map) = value else { return Err(at) };
        match &mut merged {
            None => merged = Some(map),
            Some(strong) => fill(strong, map),
        }
    }
    Ok(merged.map(Value::Map))
}

/// Adds what `strong` does not say, at every depth.
fn fill(strong: &mut BTreeMap<String, Value>, weak: BTreeMap<String, Value>) {
    for (key, value) in weak {
        match (strong.get_mut(&key), value) {
            (Some(Value::Map(strong)), Value::Map(weak)) => fill(strong, weak),
            (Some(_), _) => (),
            (None, value) => _ = strong.insert(key, value),
        }
    }
}

/// Takes the entry at `path` out of a map; no such entry is no fault.
pub(super) fn prune(value: &mut Value, path: &[String]) {
    let Some((last, way)) = path.split_last() else { return };
    let mut here = value;
    for step in way {
        let Value::Map(map) = here else { return };
        let Some(next) = map.get_mut(step) else { return };
        here = next;
    }
    if let Value::Map(map) = here {
        map.remove(last);
    }
}
