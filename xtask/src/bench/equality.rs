//! Both sides of a comparison did the same work: they give the same values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{chore_failure::ChoreFailure, command_shell::CommandShell};

/// Compares what two command lines print: `{server: {component: {key: value}}}`. The order of list items does not
/// count, since reclass puts the weakest places' items first and we the strongest's. Returns the number of values.
pub(super) fn check_equal_resolved_values(
    terminal: &CommandShell,
    ours: &str,
    peer: (&str, &str),
) -> Result<usize, ChoreFailure> {
    let (name, theirs) = peer;
    let our_servers = printed_map(terminal, ours)?;
    let their_servers = printed_map(terminal, theirs)?;
    compare(&our_servers, &their_servers, name)
        .map_err(|difference| ChoreFailure::new(difference, format!("{ours}; {theirs}")))
}

/// The number of equal values, or the first difference.
fn compare(ours: &Map<String, Value>, theirs: &Map<String, Value>, peer: &str) -> Result<usize, String> {
    let mut compared = 0;
    for (server, our_components) in ours {
        let our_values = flatten(Some(our_components));
        let their_values = flatten(theirs.get(server));
        let keys: BTreeSet<&String> = our_values.keys().chain(their_values.keys()).collect();
        for key in keys {
            let (our, their) = (our_values.get(key), their_values.get(key));
            if our != their {
                let shown = |value: Option<&Value>| value.map_or("missing".to_owned(), Value::to_string);
                return Err(format!(
                    "{server}: {key} is {} here and {} with {peer}",
                    shown(our),
                    shown(their)
                ));
            }
        }
        compared += our_values.len();
    }
    Ok(compared)
}

fn printed_map(terminal: &CommandShell, typed: &str) -> Result<Map<String, Value>, ChoreFailure> {
    let answer = terminal.run_line_expecting_success(typed)?;
    serde_json::from_str(&answer.out).map_err(|error| ChoreFailure {
        command: Some(typed.to_owned()),
        output: answer.out.clone(),
        ..ChoreFailure::new(format!("it printed no JSON map: {error}"), "the output above")
    })
}

/// `component.key` and value of everything, with lists sorted.
fn flatten(components: Option<&Value>) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (component, keys) in components.and_then(Value::as_object).into_iter().flatten() {
        // What reclass tells of the server itself.
        if component == "_reclass_" {
            continue;
        }
        for (key, value) in keys.as_object().into_iter().flatten() {
            flat.insert(format!("{component}.{key}"), sorted(value.clone()));
        }
    }
    flat
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, sorted(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn first_difference_names_server_and_key_and_list_order_does_not_count() {
        let ours = json!({"web-1": {"a": {"list": [1, 2], "port": 80}}});
        let same = json!({"web-1": {"a": {"list": [2, 1], "port": 80}, "_reclass_": {"name": {}}}});
        let compare =
            |theirs: &Value| compare(ours.as_object().unwrap(), theirs.as_object().unwrap(), "reclass");
        assert_eq!(compare(&same), Ok(2));
        let other = json!({"web-1": {"a": {"list": [1, 2], "port": 81}}});
        assert_eq!(compare(&other).unwrap_err(), "web-1: a.port is 80 here and 81 with reclass");
        let without = json!({"web-1": {"a": {"list": [1, 2]}}});
        assert_eq!(compare(&without).unwrap_err(), "web-1: a.port is 80 here and missing with reclass");
        let more = json!({"web-1": {"a": {"list": [1, 2], "port": 80}, "b": {"c": 1}}});
        assert_eq!(compare(&more).unwrap_err(), "web-1: b.c is missing here and 1 with reclass");
    }
}
