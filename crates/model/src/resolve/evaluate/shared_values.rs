//! Values that are known from other servers, and texts that need only be filled in.

use std::{rc::Rc, sync::Arc};

use super::{
    SharedValueCacheAccess, ValueEvaluationState, ValueEvaluator,
    expand::{MAX_REFERENCE_CHAIN_LENGTH, try_append_scalar},
    value_weight,
};
use crate::{
    node::NodeValue,
    parameter::MAX_ESTIMATED_VALUE_BYTES,
    resolve::{
        numbered_parameters::IndexedParameter,
        reference_text::{ReferenceTextPart, ReferenceTextTemplate, split_into_reference_text_parts},
        value_cache::{
            CachedParameterValues, CachedValueAndConditions, EvaluatedValue, ValueAndProvenanceSizes,
            ValueCache,
        },
    },
    value::Value,
};

/// So many known values are compared before a text is filled in instead.
const MAX_COMPARED: usize = 8;

impl ValueEvaluator<'_, '_> {
    /// The value that other servers have, if what it depends on is the same here.
    pub(super) fn reuse_value_of_other_servers(&mut self, slot: usize) -> Option<Rc<EvaluatedValue>> {
        let SharedValueCacheAccess { cache, touching, .. } = self.known?;
        if self.is_own(slot) {
            return None;
        }
        let entry = cache.find_cached_parameter(self.set.parameters[slot].number, touching[slot])?;
        let template = entry.text_template_if_cached();
        let mut at = 0;
        while let Some(variant) = entry.nth_cached_variant(at) {
            if self.holds_here(&variant) {
                return Some(Rc::clone(&variant.value));
            }
            at += 1;
            if template.is_some() && at >= MAX_COMPARED {
                break;
            }
        }
        let template = template?;
        let filled = self.fill_in(slot, &template)?;
        Some(match filled.of_server {
            true => Rc::new(filled),
            false => {
                let slots = template.parts.iter().filter_map(|part| match part {
                    ReferenceTextPart::Value(number) => self.set.find_parameter_slot_by_number(*number),
                    _ => None,
                });
                self.keep_variant(cache, &entry, filled, slots)
            }
        })
    }

    /// Whether everything a known value depends on is the same here.
    fn holds_here(&mut self, variant: &CachedValueAndConditions) -> bool {
        if variant.environment.is_some_and(|environment| !std::ptr::eq(environment, self.stack.environment)) {
            return false;
        }
        variant.references.iter().all(|(number, value)| {
            self.set.find_parameter_slot_by_number(*number).is_some_and(|slot| {
                self.settle(slot);
                matches!(&self.states[slot], ValueEvaluationState::Final(now) if Rc::ptr_eq(now, value))
            })
        })
    }

    /// Fills in a text; `None` if anything about it is not as it was, so that it must be evaluated.
    fn fill_in(&mut self, slot: usize, template: &ReferenceTextTemplate) -> Option<EvaluatedValue> {
        if self.path.len() > MAX_REFERENCE_CHAIN_LENGTH {
            return None;
        }
        self.begin_evaluation(slot);
        let IndexedParameter { key, parameter, .. } = self.set.parameters[slot];
        let mut secret = parameter.secret;
        let value = if let [ReferenceTextPart::Value(number)] = template.parts[..] {
            let referred = self.referred_value(number)?;
            secret |= referred.secret;
            Arc::clone(&referred.value)
        } else {
            let mut text = String::with_capacity(template.capacity);
            for part in &template.parts {
                match part {
                    ReferenceTextPart::Text(part) => text.push_str(part),
                    ReferenceTextPart::ServerName => {
                        self.depend_on_server();
                        text.push_str(self.server().as_str());
                    }
                    ReferenceTextPart::ServerEnvironment => {
                        self.depend_on_environment();
                        text.push_str(self.stack.environment.as_str());
                    }
                    ReferenceTextPart::Value(number) => {
                        let referred = self.referred_value(*number)?;
                        secret |= referred.secret;
                        if !try_append_scalar(&mut text, &referred.value) {
                            return None;
                        }
                    }
                }
                if text.len() > MAX_ESTIMATED_VALUE_BYTES {
                    return None;
                }
            }
            Arc::new(Value::Text(text))
        };
        if secret != template.secret || parameter.check_final_value_with_secrecy(&value, true).is_err() {
            return None;
        }
        let sizes = ValueAndProvenanceSizes {
            values: value_weight(key, &value),
            provenance: template.provenance_size,
        };
        let provenance = Arc::clone(&template.provenance);
        Some(self.final_value(Some(Arc::new(NodeValue { value, secret, provenance })), sizes))
    }

    /// The value of the parameter with this number, if it has one here.
    fn referred_value(&mut self, number: u32) -> Option<Arc<NodeValue>> {
        let slot = self.set.find_parameter_slot_by_number(number)?;
        self.settle(slot);
        self.extend_chain_by_evaluated_value(slot).ok()?;
        match &self.states[slot] {
            ValueEvaluationState::Final(referred) => referred.value.clone(),
            _ => None,
        }
    }

    /// Keeps the value in evaluation for other servers, if it is the same for them; `text` is what it was made of.
    pub(super) fn cache_value_unless_server_specific(
        &self,
        slot: usize,
        value: EvaluatedValue,
        text: Option<&str>,
    ) -> Rc<EvaluatedValue> {
        let (Some(SharedValueCacheAccess { cache, touching, .. }), Some(at)) = (self.known, self.path.last())
        else {
            return Rc::new(value);
        };
        if self.is_own(slot) || cache.is_full() {
            return Rc::new(value);
        }
        let entry = cache.find_or_add_cached_parameter(self.set.parameters[slot].number, touching[slot]);
        let text = text.filter(|text| text.contains("${"));
        if let (Some(parts), Some(node)) =
            (text.and_then(|text| split_into_reference_text_parts(text, self.set)), &value.value)
        {
            let (secret, provenance) = (node.secret, Arc::clone(&node.provenance));
            let provenance_size = value.sizes.provenance;
            // A name can be longer elsewhere.
            let capacity = node.value.as_text().map_or(0, str::len) + 16;
            entry.set_text_template(ReferenceTextTemplate {
                parts,
                capacity,
                secret,
                provenance,
                provenance_size,
            });
        }
        match value.of_server {
            true => Rc::new(value),
            false => self.keep_variant(cache, &entry, value, at.references.iter().copied()),
        }
    }

    /// Keeps a value that refers to those in `slots`.
    fn keep_variant(
        &self,
        cache: &ValueCache,
        entry: &CachedParameterValues,
        mut value: EvaluatedValue,
        slots: impl Iterator<Item = usize>,
    ) -> Rc<EvaluatedValue> {
        let Some(number) = cache.reserve_value_number_if_room(entry) else { return Rc::new(value) };
        value.number = number;
        let value = Rc::new(value);
        let references = slots.filter_map(|slot| match &self.states[slot] {
            ValueEvaluationState::Final(referred) => {
                Some((self.set.parameters[slot].number, Rc::clone(referred)))
            }
            _ => None,
        });
        let environment = value.of_environment.then_some(std::ptr::from_ref(self.stack.environment));
        entry.add_cached_variant(CachedValueAndConditions {
            references: references.collect(),
            environment,
            value: Rc::clone(&value),
        });
        value
    }
}
