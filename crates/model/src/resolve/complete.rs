//! Completes a node file written by hand with what resolution would have added, by the same code.

use std::collections::BTreeMap;

use super::{
    evaluate,
    fault::ResolveError,
    place_stack::{PlaceLayer, PlaceStack},
};
use crate::{
    component::Component,
    estate::{AssignedValue, InheritanceRemoval, InheritedItem, Overrides, Place},
    name::Name,
    node::Node,
    value::Value,
};

/// The node with the defaults of its components filled in and every value checked.
///
/// `components` describes the node's components in their exact versions. The values of the node are
/// final: no reference in them is replaced. A node that resolution made comes out as it went in.
pub fn complete_node(node: &Node, components: &BTreeMap<Name, &Component>) -> Result<Node, ResolveError> {
    let place = Place::Server(node.server.clone());
    let overrides = overrides_of_node(node);
    let stack = vec![PlaceLayer { place, overrides: &overrides }];
    let layers = PlaceStack::new(&node.server, &node.environment, &node.channel, stack);
    let declared: BTreeMap<&Name, &Component> =
        node.components.keys().filter_map(|name| Some((name, *components.get(name)?))).collect();
    let values = evaluate::evaluate_values(&layers, &declared, None)?.values;
    let mut complete = node.clone();
    for (name, values) in declared.into_keys().zip(values) {
        let Some(component) = complete.components.get_mut(name) else { continue };
        for (key, value) in values {
            let given = component.values.entry(key).or_insert_with(|| value.clone());
            given.secret |= value.secret;
        }
    }
    Ok(complete)
}

/// The node's values as the overrides of its server alone, with all weaker places removed: the
/// defaults are joined already.
fn overrides_of_node(node: &Node) -> Overrides {
    let values = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let assignment = values.map(|(key, value)| {
            (key.clone(), AssignedValue { value: escape_references(&value.value), origin: None })
        });
        (name.clone(), assignment.collect())
    });
    let keys = node.components.iter().flat_map(|(name, component)| {
        component.values.keys().map(|key| InheritedItem::Value(name.clone(), key.clone()))
    });
    let remove = keys.map(|what| InheritanceRemoval { what, origin: None });
    Overrides { components: BTreeMap::new(), values: values.collect(), remove: remove.collect() }
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
