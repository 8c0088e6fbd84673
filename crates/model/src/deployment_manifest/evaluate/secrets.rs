//! Which texts a secret goes into.
//!
//! Decided from the text of an expression, not from its result: whatever names a secret is secret, also
//! in a branch that was not taken. That can hide too much, never too little.

use std::collections::BTreeSet;

use super::ManifestVariables;
use crate::{template, value::Value};

/// The secrets a manifest's expressions can name.
pub(super) struct SecretNamesAndTexts {
    /// Names of the component's own secret parameters.
    own: BTreeSet<String>,
    /// `components.NAME.KEY` of other components' secrets.
    others: BTreeSet<String>,
    /// The secret texts themselves, longest first, to keep them out of errors.
    texts: Vec<String>,
}

impl SecretNamesAndTexts {
    /// Collects the secret parameters of the component and of the others its templates see, and the secret texts in them.
    pub(super) fn collect_secrets_of_variables(scope: &ManifestVariables<'_>) -> Self {
        let mut secrets = Self { own: BTreeSet::new(), others: BTreeSet::new(), texts: Vec::new() };
        for (key, value) in scope.values.iter().filter(|(_, value)| value.secret) {
            secrets.own.insert(key.to_string());
            collect(&value.value, &mut secrets.texts);
        }
        for (name, values) in &scope.others {
            for (key, value) in values.iter().filter(|(_, value)| value.secret) {
                secrets.others.insert(format!("components.{name}.{key}"));
                collect(&value.value, &mut secrets.texts);
            }
        }
        secrets.texts.retain(|text| !text.is_empty());
        secrets.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        secrets
    }

    /// Whether any text in `value` names a secret.
    pub(super) fn value_names_secret(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.template_names_secret(text),
            Value::List(list) => list.iter().any(|value| self.value_names_secret(value)),
            Value::Map(map) => map.values().any(|value| self.value_names_secret(value)),
            _ => false,
        }
    }

    /// Whether the template `text` names a secret.
    pub(super) fn template_names_secret(&self, text: &str) -> bool {
        if !template::has_expressions(text) || (self.own.is_empty() && self.others.is_empty()) {
            return false;
        }
        let mentions = template::find_free_variables(text);
        let own = mentions.iter().any(|name| self.own.contains(name.split('.').next().unwrap_or(name)))
            // A name assigned in one branch hides the parameter from the syntax of another.
            || words_in_holes(text).any(|word| self.own.contains(word));
        let others = mentions.iter().filter(|name| name.starts_with("components")).any(|name| {
            // `components[x]` can be any of them.
            self.others.iter().any(|secret| within(secret, name) || within(name, secret))
        });
        own || others
    }

    /// `message` without any secret text.
    pub(super) fn mask_secret_texts(&self, message: &str) -> String {
        self.texts
            .iter()
            .fold(message.to_owned(), |message, secret| message.replace(secret.as_str(), "******"))
    }
}

/// Whether the path `inner` is `outer` or lies within it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn words_in_holes(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).chain(text.split("{%").skip(1)).flat_map(|hole| {
        let end = hole.find("}}").into_iter().chain(hole.find("%}")).max().unwrap_or(hole.len());
        hole[..end].split(|c: char| !c.is_alphanumeric() && c != '_')
    })
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Text(text) => texts.push(text.clone()),
        Value::Integer(number) => texts.push(number.to_string()),
        Value::List(list) => list.iter().for_each(|value| collect(value, texts)),
        Value::Map(map) => map.values().for_each(|value| collect(value, texts)),
        Value::Null | Value::Boolean(_) | Value::Number(_) => (),
    }
}
