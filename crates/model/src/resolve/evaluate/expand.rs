//! References: `${...}` in a value is replaced by the value it refers to.

use std::{collections::BTreeMap, fmt::Write};

use super::{ValueEvaluationState, ValueEvaluator, ValueSite};
use crate::{
    parameter::{MAX_ESTIMATED_VALUE_BYTES, VALUE_ITEM_OVERHEAD_BYTES, estimate_value_size},
    resolve::{
        fault::{EstateFault, EstateFaultKind},
        reference::{
            OWN_SERVER_REFERENCES, ReferenceTarget, TextOrReference, parse_reference_target,
            split_at_references,
        },
    },
    suggest_spelling,
    value::Value,
};

/// The longest chain of references.
pub(super) const MAX_REFERENCE_CHAIN_LENGTH: usize = 32;

impl ValueEvaluator<'_, '_> {
    /// Replaces the references in a value; `None` when one of them has no value. What it becomes is
    /// subtracted from `left` piece by piece, so that it never exceeds the limit, not even for a
    /// moment.
    pub(super) fn expand_references(
        &mut self,
        site: &ValueSite<'_>,
        value: &Value,
        secret: &mut bool,
        left: &mut usize,
    ) -> Option<Value> {
        match value {
            Value::Text(text) if text.contains("${") => {
                let value = self.expand_text(site, text, secret)?;
                self.charge(site, left, estimate_value_size(&value))?;
                Some(value)
            }
            Value::List(items) => {
                self.charge(site, left, VALUE_ITEM_OVERHEAD_BYTES)?;
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.push(self.expand_references(site, item, secret, left)?);
                }
                Some(Value::List(list))
            }
            Value::Map(entries) => {
                self.charge(site, left, VALUE_ITEM_OVERHEAD_BYTES)?;
                let mut map = BTreeMap::new();
                for (key, item) in entries {
                    self.charge(site, left, key.len() + VALUE_ITEM_OVERHEAD_BYTES)?;
                    map.insert(key.clone(), self.expand_references(site, item, secret, left)?);
                }
                Some(Value::Map(map))
            }
            plain => {
                self.charge(site, left, estimate_value_size(plain))?;
                Some(plain.clone())
            }
        }
    }

    fn charge(&mut self, site: &ValueSite<'_>, left: &mut usize, weight: usize) -> Option<()> {
        match left.checked_sub(weight) {
            Some(rest) => {
                *left = rest;
                Some(())
            }
            None => self.wrong(site, too_long()),
        }
    }

    fn expand_text(&mut self, site: &ValueSite<'_>, text: &str, secret: &mut bool) -> Option<Value> {
        let Some(parts) = split_at_references(text) else {
            return self.wrong(site, "has a `${` without `}`; write `$${` for the text `${`".to_owned());
        };
        if let [TextOrReference::Reference(inside)] = parts[..] {
            return self.resolve_reference(site, inside, secret);
        }
        let mut joined = String::new();
        for part in parts {
            match part {
                TextOrReference::Text(text) => joined.push_str(text),
                TextOrReference::Reference(inside) => {
                    let value = self.resolve_reference(site, inside, secret)?;
                    if !try_append_scalar(&mut joined, &value) {
                        let what = value.type_name();
                        let reason = format!(
                            "which is a {what}; inside a text only texts, numbers and booleans can stand"
                        );
                        return self.unknown_reference(site, inside, reason, None);
                    }
                }
            }
            if joined.len() > MAX_ESTIMATED_VALUE_BYTES {
                return self.wrong(site, too_long());
            }
        }
        Some(Value::Text(joined))
    }

    /// Returns the value a reference refers to.
    fn resolve_reference(&mut self, site: &ValueSite<'_>, inside: &str, secret: &mut bool) -> Option<Value> {
        let (name, key) = match parse_reference_target(inside) {
            Some(ReferenceTarget::ServerName) => {
                self.depend_on_server();
                return Some(Value::Text(self.server().to_string()));
            }
            Some(ReferenceTarget::ServerEnvironment) => {
                self.depend_on_environment();
                return Some(Value::Text(self.stack.environment.to_string()));
            }
            Some(ReferenceTarget::Value(name, key)) => (name, key),
            None => {
                let near = suggest_spelling(inside, OWN_SERVER_REFERENCES).map(str::to_owned);
                let reason = format!(
                    "which is neither `component.parameter` nor `server.name` nor `server.environment`; \
                     write `$${{{}}}` if the text itself is meant",
                    shorten(inside)
                );
                return self.unknown_reference(site, inside, reason, near);
            }
        };
        let set = self.set;
        let Some(found) = set.find_component_index(&name) else {
            let near = suggest_spelling(
                name.as_str(),
                set.components.iter().map(|component| component.name.as_str()),
            );
            let near = near.map(|near| format!("{near}.{key}"));
            let reason = format!("but this server has no component `{name}`");
            return self.unknown_reference(site, inside, reason, near);
        };
        let Some(slot) = set.find_parameter_slot_by_key(found, &key) else {
            let parameters = &set.parameters[set.components[found].slots.clone()];
            let near =
                suggest_spelling(key.as_str(), parameters.iter().map(|parameter| parameter.key.as_str()));
            let near = near.map(|near| format!("{name}.{near}"));
            let reason = format!("but `{name}` has no parameter `{key}`");
            return self.unknown_reference(site, inside, reason, near);
        };
        let chain = match self.path.len() > MAX_REFERENCE_CHAIN_LENGTH {
            true => Err(()),
            false => self.evaluate_and_note_reference(slot),
        };
        if chain.is_err() {
            return self.wrong(
                site,
                format!("is at the end of more than {MAX_REFERENCE_CHAIN_LENGTH} references; write it out"),
            );
        }
        match &self.states[slot] {
            ValueEvaluationState::Final(found) => match found.value.clone() {
                Some(value) => {
                    *secret |= value.secret;
                    Some(Value::clone(&value.value))
                }
                None => self.unknown_reference(
                    site,
                    inside,
                    "but it has no value and no default".to_owned(),
                    None,
                ),
            },
            ValueEvaluationState::Begun => {
                let start = self.path.iter().position(|at| at.slot == slot).unwrap_or_default();
                let cycle = self.path[start..].iter().map(|at| self.parameter_name(at.slot)).collect();
                let fault = EstateFault::new(site.place.clone(), EstateFaultKind::CyclicReferences(cycle));
                self.faults.push(fault.with_key(site.component, site.key));
                None
            }
            ValueEvaluationState::Failed | ValueEvaluationState::Pending => None,
        }
    }

    /// Evaluates a value that the one in evaluation refers to, and notes that it does. The error is a chain of
    /// references that is too long.
    pub(super) fn evaluate_and_note_reference(&mut self, slot: usize) -> Result<(), ()> {
        self.settle(slot);
        if let Some(at) = self.path.last_mut() {
            at.references.push(slot);
        }
        self.extend_chain_by_evaluated_value(slot)
    }

    /// Notes what follows from a reference to an evaluated value. The error is a chain of references that is too long.
    pub(super) fn extend_chain_by_evaluated_value(&mut self, slot: usize) -> Result<(), ()> {
        let referred = match &self.states[slot] {
            ValueEvaluationState::Final(value) => Some((value.chain, value.of_server)),
            _ => None,
        };
        let Some(at) = self.path.last_mut() else { return Ok(()) };
        if let Some((chain, of_server)) = referred {
            at.chain = at.chain.max(chain + 1);
            at.of_server |= of_server;
        }
        if at.chain > MAX_REFERENCE_CHAIN_LENGTH { Err(()) } else { Ok(()) }
    }

    fn parameter_name(&self, slot: usize) -> String {
        let parameter = self.set.parameters[slot];
        format!("{}.{}", self.set.components[parameter.component].name, parameter.key)
    }

    /// Adds the fault of a reference that cannot be resolved. In a secret value it could be part of the secret, and so could the names
    /// in it.
    fn unknown_reference(
        &mut self,
        site: &ValueSite<'_>,
        inside: &str,
        reason: String,
        near: Option<String>,
    ) -> Option<Value> {
        if self.hidden(site) {
            let message = "is secret and not shown, and holds a `${...}` that cannot be followed; \
                           write `$${` for the text `${`";
            return self.wrong(site, message.to_owned());
        }
        let (component, key, reference) = (site.component.clone(), site.key.clone(), shorten(inside));
        let kind = EstateFaultKind::UnknownReference { component, key, reference, reason, near };
        self.faults.push(EstateFault::new(site.place.clone(), kind).with_key(site.component, site.key));
        None
    }
}

/// Appends a value to a text, if it is one that can stand inside texts; whether it is.
pub(super) fn try_append_scalar(text: &mut String, value: &Value) -> bool {
    match value {
        Value::Text(part) => text.push_str(part),
        // Writing to a text never fails.
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => _ = write!(text, "{value}"),
        Value::Null | Value::List(_) | Value::Map(_) => return false,
    }
    true
}

/// A reference shortened for an error message.
fn shorten(inside: &str) -> String {
    inside.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn too_long() -> String {
    format!("grows beyond {MAX_ESTIMATED_VALUE_BYTES} bytes by its references; shorten it")
}
