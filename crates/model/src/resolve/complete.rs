//! Completes a node file written by hand with what resolution would have added, by the same code.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use super::{
    evaluate::{
        ServerOrHandwrittenNode, ValueEvaluationState, ValueEvaluator, value_of_undeclared_parameter_fault,
    },
    fault::{EstateFault, ResolveFaults},
    numbered_parameters::ComponentsWithNumberedParameters,
    places_strongest_first::{PlaceWithSettings, PlacesStrongestFirst},
    reference::has_references,
    value_cache::ValueAndProvenanceSizes,
};
use crate::{
    component::Component,
    estate::{PlaceId, PlaceSettings, ValueWithRevisionAndAuthor},
    name::Name,
    node::{Node, NodeValue},
    value::Value,
};

/// The node with the defaults of its components filled in and every value checked.
///
/// `components` describes the node's components in their exact versions. The values of the node are
/// final: no reference in them is replaced. A node that resolution made comes out as it went in.
pub fn add_defaults_and_check_node(
    node: &Node,
    components: &BTreeMap<Name, &Component>,
) -> Result<Node, ResolveFaults> {
    let settings = settings_of_node(node);
    let layer = PlaceWithSettings { place: PlaceId::Server(node.server.clone()), settings: &settings };
    let stack = PlacesStrongestFirst::new(&node.environment, &node.channel, vec![layer]);
    let declared = node.components.keys().filter_map(|name| Some((name, *components.get(name)?)));
    let set = ComponentsWithNumberedParameters::new(declared, |_| 0);
    let states =
        (vec![ValueEvaluationState::Pending; set.parameters.len()], ValueAndProvenanceSizes::default());
    let subject = ServerOrHandwrittenNode::FinalNode { server: &node.server };
    let touched = [Rc::new(set.parameters_touched_by_place(&settings))];
    let evaluated =
        ValueEvaluator::new(subject, (&stack, &touched), &set, states).evaluate_pending_parameters(None);
    let undeclared = touched[0].undeclared.iter();
    let undeclared = undeclared.map(|&(component, key)| {
        value_of_undeclared_parameter_fault(
            PlaceId::Server(node.server.clone()),
            set.components[component].component,
            key,
        )
    });
    let faults: Vec<EstateFault> = undeclared.chain(evaluated.faults).collect();
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let mut complete = node.clone();
    for (parameter, state) in set.parameters.iter().zip(evaluated.states) {
        let ValueEvaluationState::Final(value) = state else { continue };
        let Some(value) = &value.value else { continue };
        let Some(component) = complete.components.get_mut(set.components[parameter.component].name) else {
            continue;
        };
        let component = Arc::make_mut(component);
        match component.values.get(parameter.key) {
            None => component.values.insert(parameter.key.clone(), Arc::clone(value)),
            Some(given) if value.secret && !given.secret => {
                let given = NodeValue { secret: true, ..NodeValue::clone(given) };
                component.values.insert(parameter.key.clone(), Arc::new(given));
            }
            Some(_) => (),
        }
    }
    Ok(complete)
}

/// The node's values as the settings of its server alone.
fn settings_of_node(node: &Node) -> PlaceSettings {
    let values = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let assignment = values.map(|(key, value)| {
            let value = match has_references(&value.value) {
                true => Arc::new(escape_references(&value.value)),
                false => Arc::clone(&value.value),
            };
            (key.clone(), ValueWithRevisionAndAuthor { value, origin: None })
        });
        (name.clone(), assignment.collect())
    });
    PlaceSettings { values: values.collect(), ..PlaceSettings::default() }
}

/// The value with every `${` escaped, so that it is not a reference.
fn escape_references(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.replace("${", "$${")),
        Value::List(items) => Value::List(items.iter().map(escape_references).collect()),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(key, item)| (key.clone(), escape_references(item))).collect())
        }
        other => other.clone(),
    }
}
