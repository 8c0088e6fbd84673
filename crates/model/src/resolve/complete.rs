//! Completes a node file written by hand with what resolution would have added, by the same code.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    evaluate::{
        ComponentValueStates, EvaluationSubject, ValueEvaluator, collect_component_parameters,
        collect_final_values, find_unknown_parameters,
    },
    fault::ResolveError,
    place_stack::{PlaceLayer, PlaceStack},
    reference::has_references,
};
use crate::{
    component::Component,
    estate::{AssignedValue, Overrides, Place},
    name::Name,
    node::{Node, NodeValue},
    value::Value,
};

/// The node with the defaults of its components filled in and every value checked.
///
/// `components` describes the node's components in their exact versions. The values of the node are
/// final: no reference in them is replaced. A node that resolution made comes out as it went in.
pub fn complete_node_with_defaults(
    node: &Node,
    components: &BTreeMap<Name, &Component>,
) -> Result<Node, ResolveError> {
    let overrides = overrides_of_node(node);
    let layer = PlaceLayer { place: Place::Server(node.server.clone()), overrides: &overrides };
    let stack = PlaceStack::new(&node.environment, &node.channel, vec![layer]);
    let declared = node.components.keys().filter_map(|name| Some((name, *components.get(name)?)));
    let parameters = collect_component_parameters(declared);
    let states = parameters.iter().map(ComponentValueStates::all_pending).collect();
    let subject = EvaluationSubject::FinalNode { server: &node.server };
    let evaluated =
        ValueEvaluator::new(subject, &stack, &parameters, None, states).evaluate_pending_parameters();
    let mut faults = find_unknown_parameters(&stack, &parameters, |_, _| true);
    faults.extend(evaluated.faults);
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let mut complete = node.clone();
    for (declared, states) in parameters.iter().zip(evaluated.states) {
        let Some(component) = complete.components.get_mut(declared.name) else { continue };
        let component = Arc::make_mut(component);
        for (key, value) in collect_final_values(declared, &states.into_owned_states().unwrap_or_default()) {
            let given = component.values.entry(key).or_insert_with(|| Arc::clone(&value));
            if value.secret && !given.secret {
                *given = Arc::new(NodeValue { secret: true, ..NodeValue::clone(given) });
            }
        }
    }
    Ok(complete)
}

/// The node's values as the overrides of its server alone.
fn overrides_of_node(node: &Node) -> Overrides {
    let values = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let assignment = values.map(|(key, value)| {
            let value = match has_references(&value.value) {
                true => Arc::new(escape_references(&value.value)),
                false => Arc::clone(&value.value),
            };
            (key.clone(), AssignedValue { value, origin: None })
        });
        (name.clone(), assignment.collect())
    });
    Overrides { values: values.collect(), ..Overrides::default() }
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
