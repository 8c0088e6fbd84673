//! Selections: the value that a place sets for a parameter of type `servers`.
//!
//! `{role: web}`, `{group: paris, component: shop}`: every key narrows it. It selects servers of the reading server's
//! own environment unless it names another with `environment`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{name::Name, suggest_spelling, value::Value};

/// The keys of a selection.
const KEYS: [&str; 4] = ["role", "group", "component", "environment"];

/// Which servers are selected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSelectionCriteria {
    /// The environment they are in.
    pub environment: Name,
    /// A role they have, directly or by inheritance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// A group they are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    /// A component they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Name>,
}

impl ServerSelectionCriteria {
    /// Reads the value of a parameter of a server in `environment`. The error is a sentence starting with `must`.
    pub fn from_parameter_value(value: &Value, environment: &Name) -> Result<Self, String> {
        let entries = entries(value)?;
        let name = |key: &str| match entries.get(key) {
            Some(Value::Text(text)) => {
                Name::new(text).map(Some).map_err(|error| format!("must select by names, and {error}"))
            }
            _ => Ok(None),
        };
        Ok(Self {
            environment: name("environment")?.unwrap_or_else(|| environment.clone()),
            role: name("role")?,
            group: name("group")?,
            component: name("component")?,
        })
    }

    /// Checks what can be checked before references are replaced. The error is a sentence starting with `must`.
    pub fn check_unresolved_selection(value: &Value) -> Result<(), String> {
        for text in entries(value)?.values().filter_map(Value::as_text).filter(|text| !text.contains("${")) {
            Name::new(text).map_err(|error| format!("must select by names, and {error}"))?;
        }
        Ok(())
    }
}

/// The entries of a selection, each a text under a known key.
fn entries(value: &Value) -> Result<&BTreeMap<String, Value>, String> {
    let example = "like `{role: web}` or `{group: paris, component: shop}`";
    let Value::Map(entries) = value else {
        return Err(format!("must be a selection of servers {example}, not a {}", value.type_name()));
    };
    if entries.is_empty() {
        return Err(format!("must select by at least one of {}, {example}", KEYS.join(", ")));
    }
    for (key, value) in entries {
        if !KEYS.contains(&key.as_str()) {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(match suggest_spelling(key, KEYS) {
                Some(near) => format!("must not select by `{shown}`; did you mean `{near}`?"),
                None => format!("must not select by `{shown}`; a selection has {}", KEYS.join(", ")),
            });
        }
        if value.as_text().is_none() {
            return Err(format!("must have one name for `{key}`, not a {}", value.type_name()));
        }
    }
    Ok(entries)
}

impl fmt::Display for ServerSelectionCriteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "servers of environment {}", self.environment)?;
        let narrowed = [("role", &self.role), ("group", &self.group), ("component", &self.component)];
        for (what, name) in narrowed.into_iter().filter_map(|(what, name)| Some((what, name.as_ref()?))) {
            write!(f, " with {what} {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(pairs: &[(&str, Value)]) -> Result<ServerSelectionCriteria, String> {
        let map = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        ServerSelectionCriteria::from_parameter_value(&Value::Map(map), &Name::new("prod").unwrap())
    }

    #[test]
    fn selection_is_of_the_readers_environment_unless_it_names_another() {
        let own = select(&[("role", "web".into())]).unwrap();
        assert_eq!(own.to_string(), "servers of environment prod with role web");
        let other = select(&[("group", "paris".into()), ("environment", "staging".into())]).unwrap();
        assert_eq!(other.to_string(), "servers of environment staging with group paris");
    }

    #[test]
    fn wrong_selection_is_refused_with_what_to_write() {
        for (pairs, message) in [
            (vec![("rol", Value::from("web"))], "must not select by `rol`; did you mean `role`?"),
            (vec![], "must select by at least one of role, group, component, environment"),
            (vec![("role", Value::List(vec!["a".into()]))], "must have one name for `role`, not a list"),
            (vec![("role", "No".into())], "must select by names, and `No` is not a name"),
        ] {
            let error = select(&pairs).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let error =
            ServerSelectionCriteria::from_parameter_value(&Value::from("web"), &Name::new("prod").unwrap())
                .unwrap_err();
        assert!(error.starts_with("must be a selection of servers like `{role: web}`"), "{error}");
    }
}
