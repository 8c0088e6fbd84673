//! Merging: the values of several places become one, and it is told which of them have a part in it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use crate::{
    parameter::MergeStrategy,
    value::{Value, ValueComparedAsWritten},
};

/// A merged value.
#[derive(Debug, PartialEq)]
pub(super) struct MergedValue {
    pub(super) value: Arc<Value>,
    /// For each merged value, whether something of it is in the result.
    pub(super) has_part: Vec<bool>,
}

/// Merges values of several places, strongest first. A value that stands alone is shared, not copied.
///
/// On failure the index of the first value that is not of the shape the merge needs.
pub(super) fn merge_values_of_places(
    how: MergeStrategy,
    values: &[Arc<Value>],
) -> Result<Option<MergedValue>, usize> {
    let Some(strongest) = values.first() else { return Ok(None) };
    match how {
        MergeStrategy::Replace => {
            let has_part = (0..values.len()).map(|at| at == 0).collect();
            Ok(Some(MergedValue { value: Arc::clone(strongest), has_part }))
        }
        MergeStrategy::Append => append(values).map(Some),
        MergeStrategy::Deep => deep(values).map(Some),
    }
}

fn append(values: &[Arc<Value>]) -> Result<MergedValue, usize> {
    let mut visited = HashSet::new();
    let mut joined: Vec<&Value> = Vec::new();
    let mut has_part = Vec::with_capacity(values.len());
    let mut listed = 0;
    for (at, value) in values.iter().enumerate() {
        let Value::List(items) = &**value else { return Err(at) };
        let before = joined.len();
        joined.extend(items.iter().filter(|item| visited.insert(ValueComparedAsWritten(item))));
        listed += items.len();
        // An empty list that stands alone is the value, too.
        has_part.push(joined.len() > before || values.len() == 1);
    }
    let value = match values {
        [only] if joined.len() == listed => Arc::clone(only),
        _ => Arc::new(Value::List(joined.into_iter().cloned().collect())),
    };
    Ok(MergedValue { value, has_part })
}

fn deep(values: &[Arc<Value>]) -> Result<MergedValue, usize> {
    if let Some(at) = values.iter().position(|value| !matches!(**value, Value::Map(_))) {
        return Err(at);
    }
    if let [only] = values {
        return Ok(MergedValue { value: Arc::clone(only), has_part: vec![true] });
    }
    let mut merged = BTreeMap::new();
    let mut has_part = Vec::with_capacity(values.len());
    for value in values {
        if let Value::Map(map) = &**value {
            has_part.push(fill(&mut merged, map));
        }
    }
    Ok(MergedValue { value: Arc::new(Value::Map(merged)), has_part })
}

/// Adds what `strong` does not say, at every depth; whether there was something.
fn fill(strong: &mut BTreeMap<String, Value>, weak: &BTreeMap<String, Value>) -> bool {
    let mut adds = false;
    for (key, value) in weak {
        match (strong.get_mut(key), value) {
            (Some(Value::Map(strong)), Value::Map(weak)) => adds |= fill(strong, weak),
            (Some(_), _) => (),
            (None, value) => {
                strong.insert(key.clone(), value.clone());
                adds = true;
            }
        }
    }
    adds
}

/// Takes the entry at `path` out of a map, which is copied only if it has one; whether it had.
pub(super) fn remove_nested_map_entry(value: &mut Arc<Value>, path: &[String]) -> bool {
    if find_nested_map_value(value, path).is_none() {
        return false;
    }
    let Some((last, way)) = path.split_last() else { return false };
    let mut here = Arc::make_mut(value);
    for step in way {
        let Value::Map(map) = here else { return false };
        let Some(next) = map.get_mut(step) else { return false };
        here = next;
    }
    match here {
        Value::Map(map) => map.remove(last).is_some(),
        _ => false,
    }
}

/// The entry of a map at `path`.
pub(super) fn find_nested_map_value<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Map(map) => map.get(step),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Arc<Value> {
        Arc::new(Value::List(items.iter().map(|item| Value::from(*item)).collect()))
    }

    fn map(entries: &[(&str, Value)]) -> Arc<Value> {
        Arc::new(Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()))
    }

    #[test]
    fn list_that_adds_nothing_has_no_part() {
        let merged =
            merge_values_of_places(MergeStrategy::Append, &[list(&["a", "b"]), list(&["b"]), list(&["c"])]);
        let merged = merged.unwrap().unwrap();
        assert_eq!(merged, MergedValue { value: list(&["a", "b", "c"]), has_part: vec![true, false, true] });
    }

    #[test]
    fn map_that_is_overridden_at_every_key_has_no_part() {
        let strong = map(&[("a", 1.into()), ("deep", Value::clone(&map(&[("x", 1.into())])))]);
        let weak = map(&[("deep", Value::clone(&map(&[("x", 2.into())])))]);
        let weakest = map(&[("deep", Value::clone(&map(&[("y", 3.into())])))]);
        let merged = merge_values_of_places(MergeStrategy::Deep, &[strong, weak, weakest]).unwrap().unwrap();
        assert_eq!(merged.has_part, [true, false, true]);
        assert_eq!(merged.value.to_string(), r#"{"a":1,"deep":{"x":1,"y":3}}"#);
    }

    #[test]
    fn value_that_stands_alone_is_shared() {
        for (how, value) in
            [(MergeStrategy::Append, list(&["a"])), (MergeStrategy::Deep, map(&[("a", 1.into())]))]
        {
            let merged = merge_values_of_places(how, &[Arc::clone(&value)]).unwrap().unwrap();
            assert!(Arc::ptr_eq(&merged.value, &value));
        }
    }
}
