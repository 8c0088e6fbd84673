//! References: what a value says with `${...}` becomes what the referred values are.

use std::collections::BTreeMap;

use super::{Site, State, ValueEvaluator};
use crate::{
    name::Key,
    nearest,
    parameter::{MAX_WEIGHT, NODE_WEIGHT, weight},
    resolve::{
        fault::{Fault, FaultKind},
        reference::{ReferencePart, ReferenceTarget, SERVER, parts, target},
    },
    value::Value,
};

/// References may lead through so many values.
const MAX_CHAIN: usize = 32;

impl ValueEvaluator<'_, '_> {
    /// Replaces the references in a value; `None` when one of them has no value. What it becomes is
    /// subtracted from `left` piece by piece, so that it is never larger than allowed, not even for a
    /// moment.
    pub(super) fn expand(
        &mut self,
        site: &Site<'_>,
        value: &Value,
        secret: &mut bool,
        left: &mut usize,
    ) -> Option<Value> {
        match value {
            Value::Text(text) if text.contains("${") => {
                let value = self.expand_text(site, text, secret)?;
                self.take(site, left, weight(&value))?;
                Some(value)
            }
            Value::List(items) => {
                self.take(site, left, NODE_WEIGHT)?;
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.expand(site, item, secret, left)?);
                }
                Some(Value::List(list))
            }
            Value::Map(entries) => {
                self.take(site, left, NODE_WEIGHT)?;
                let mut map = BTreeMap::new();
                for (key, item) in entries {
                    self.take(site, left, key.len() + NODE_WEIGHT)?;
                    map.insert(key.clone(), self.expand(site, item, secret, left)?);
                }
                Some(Value::Map(map))
            }
            plain => {
                self.take(site, left, weight(plain))?;
                Some(plain.clone())
            }
        }
    }

    fn take(&mut self, site: &Site<'_>, left: &mut usize, weight: usize) -> Option<()> {
        match left.checked_sub(weight) {
            Some(rest) => {
                *left = rest;
                Some(())
            }
            None => self.wrong(site, too_long()),
        }
    }

    fn expand_text(&mut self, site: &Site<'_>, text: &str, secret: &mut bool) -> Option<Value> {
        let Some(parts) = parts(text) else {
            return self.wrong(site, "has a `${` without `}`; write `$${` for the text `${`".to_owned());
        };
        if let [ReferencePart::Reference(inside)] = parts[..] {
            return self.follow(site, inside, secret);
        }
        let mut joined = String::new();
        for part in parts {
            match part {
                ReferencePart::Text(text) => joined.push_str(text),
                ReferencePart::Reference(inside) => match self.follow(site, inside, secret)? {
                    Value::Text(text) => joined.push_str(&text),
                    value @ (Value::Integer(_) | Value::Number(_) | Value::Boolean(_)) => {
                        joined.push_str(&value.to_string());
                    }
                    value => {
                        let what = value.kind();
                        let why = format!(
                            "which is a {what}; inside a text only texts, numbers and booleans can stand"
                        );
                        return self.unknown(site, inside, why, None);
                    }
                },
            }
            if joined.len() > MAX_WEIGHT {
                return self.wrong(site, too_long());
            }
        }
        Some(Value::Text(joined))
    }

    /// The value a reference stands for.
    fn follow(&mut self, site: &Site<'_>, inside: &str, secret: &mut bool) -> Option<Value> {
        let (name, key) = match target(inside) {
            Some(ReferenceTarget::ServerName) => return Some(Value::Text(self.layers.server.to_string())),
            Some(ReferenceTarget::ServerEnvironment) => {
                return Some(Value::Text(self.layers.environment.to_string()));
            }
            Some(ReferenceTarget::Value(name, key)) => (name, key),
            None => {
                let near = nearest(inside, SERVER).map(str::to_owned);
                let why = format!(
                    "which is neither `component.parameter` nor `server.name` nor `server.environment`; \
                     write `$${{{}}}` if the text itself is meant",
                    clip(inside)
                );
                return self.unknown(site, inside, why, near);
            }
        };
        let settled = self.settled;
        let Some((name, component)) = settled.get_key_value(&name) else {
            let near = nearest(name.as_str(), settled.keys().map(|name| name.as_str()));
            let near = near.map(|near| format!("{near}.{key}"));
            return self.unknown(site, inside, format!("but this server has no component `{name}`"), near);
        };
        let parameters = &component.parameters;
        let Some((key, _)) = parameters.get_key_value(&key) else {
            let near = nearest(key.as_str(), parameters.keys().map(Key::as_str));
            let near = near.map(|near| format!("{name}.{near}"));
            return self.unknown(site, inside, format!("but `{name}` has no parameter `{key}`"), near);
        };
        if self.path.len() > MAX_CHAIN {
            return self
                .wrong(site, format!("is at the end of more than {MAX_CHAIN} references; write it out"));
        }
        self.finish(name, key);
        match self.done.get(&(*name, key)) {
            Some(State::Final(value)) => {
                *secret |= value.secret;
                Some(value.value.clone())
            }
            Some(State::Absent) => {
                self.unknown(site, inside, "but nobody sets it and it has no default".to_owned(), None)
            }
            Some(State::Begun) => {
                let start = self.path.iter().position(|at| *at == (*name, key)).unwrap_or_default();
                let circle = self.path[start..].iter().map(|(name, key)| format!("{name}.{key}")).collect();
                let fault = Fault::new(site.place.clone(), FaultKind::CyclicReferences(circle));
                self.faults.push(fault.on(site.component, site.key));
                None
            }
            Some(State::Failed) | None => None,
        }
    }

    /// A reference that cannot be followed. In a secret it could be a piece of it, and so could the names
    /// in it.
    fn unknown(&mut self, site: &Site<'_>, inside: &str, why: String, near: Option<String>) -> Option<Value> {
        if self.hidden(site) {
            let message = "is secret and not shown, and holds a `${...}` that cannot be followed; \
                           write `$${` for the text `${`";
            return self.wrong(site, message.to_owned());
        }
        let (component, key, reference) = (site.component.clone(), site.key.clone(), clip(inside));
        let kind = FaultKind::UnknownReference { component, key, reference, why, near };
        self.faults.push(Fault::new(site.place.clone(), kind).on(site.component, site.key));
        None
    }
}

/// A reference as errors show it.
fn clip(inside: &str) -> String {
    inside.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn too_long() -> String {
    format!("grows beyond {MAX_WEIGHT} bytes by its references; shorten it")
}
