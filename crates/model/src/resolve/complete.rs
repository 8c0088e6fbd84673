//! Completing: a node file written by hand gets what resolution would have given it, by the same code.

use std::collections::BTreeMap;

use super::{
    evaluate,
    fault::ResolveError,
    layers::{PlaceLayer, PlaceStack},
};
use crate::{
    component::Component,
    estate::{Assignment, Overrides, Place, Removal, RemovalTarget},
    name::Name,
    node::Node,
    value::Value,
};

/// The node with the defaults of its components filled in and every value checked.
///
/// `components` describes the node's components in their exact versions. The values of the node are
/// final: no reference in them is replaced. A node that resolution made comes out as it went in.
pub fn complete(node: &Node, components: &BTreeMap<Name, &Component>) -> Result<Node, ResolveError> {
    let place = Place::Server(node.server.clone());
    let says = says(node);
    let stack = vec![PlaceLayer { place, says: &says }];
    let layers = PlaceStack::new(&node.server, &node.environment, &node.channel, stack);
    let declared: BTreeMap<&Name, &Component> =
        node.components.keys().filter_map(|name| Some((name, *components.get(name)?))).collect();
    let values = evaluate::values(&layers, &declared, None)?.values;
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

/// What the node says, as if its server were the only place, and nothing weaker were wanted: the
/// defaults are joined already.
fn says(node: &Node) -> Overrides {
    let values = node.components.iter().map(|(name, component)| {
        let values = component.values.iter();
        let said = values
            .map(|(key, value)| (key.clone(), Assignment { value: literal(&value.value), origin: None }));
        (name.clone(), said.collect())
    });
    let keys = node.components.iter().flat_map(|(name, component)| {
        component.values.keys().map(|key| RemovalTarget::Value(name.clone(), key.clone()))
    });
    let remove = keys.map(|what| Removal { what, origin: None });
    Overrides { components: BTreeMap::new(), values: values.collect(), remove: remove.collect() }
}

/// The value with every `${` written so that it stays one.
fn literal(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.replace("${", "$${")),
        Value::List(items) => Value::List(items.iter().map(literal).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(key, item)| (key.clone(), literal(item))).collect()),
        other => other.clone(),
    }
}
