//! Merging and removal of entries, written down in the most obvious way.

use std::collections::BTreeSet;

use model::value::{Value, ValueComparedAsWritten};

pub(super) fn without_entry(value: &Value, path: &[String]) -> Value {
    let (Value::Map(map), Some((first, rest))) = (value, path.split_first()) else { return value.clone() };
    let entries = map.iter().filter(|(key, _)| !(*key == first && rest.is_empty()));
    let entries = entries.map(|(key, item)| {
        (key.clone(), if key == first { without_entry(item, rest) } else { item.clone() })
    });
    Value::Map(entries.collect())
}

pub(super) fn append(values: &[Value]) -> Option<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for value in values {
        let Value::List(items) = value else { return None };
        for item in items {
            if !joined.iter().any(|known| ValueComparedAsWritten(known) == ValueComparedAsWritten(item)) {
                joined.push(item.clone());
            }
        }
    }
    (!values.is_empty()).then_some(Value::List(joined))
}

pub(super) fn deep(strong: &Value, weak: &Value) -> Value {
    let (Value::Map(strong), Value::Map(weak)) = (strong, weak) else { return strong.clone() };
    let keys: BTreeSet<&String> = strong.keys().chain(weak.keys()).collect();
    let merged = keys.into_iter().filter_map(|key| {
        let value = match (strong.get(key), weak.get(key)) {
            (Some(strong), Some(weak)) => deep(strong, weak),
            (one, other) => one.or(other)?.clone(),
        };
        Some((key.clone(), value))
    });
    Value::Map(merged.collect())
}
