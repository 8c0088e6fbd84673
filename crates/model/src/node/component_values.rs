//! The values of a node's component. The list of its parameters is shared by all nodes that run the same version.

use std::{borrow::Borrow, collections::BTreeMap, fmt, ops::Index, sync::Arc};

use super::NodeValue;
use crate::name::Key;

/// Final values, by parameter, in the order of the parameters' names.
#[derive(Clone)]
pub struct ValuesOfNodeComponent {
    /// In their order, each once.
    keys: Arc<[Key]>,
    /// One for each key; `None` if the parameter has no value.
    values: Vec<Option<Arc<NodeValue>>>,
}

impl ValuesOfNodeComponent {
    /// Values for keys that are in their order, each once.
    pub(crate) fn from_sorted_keys(
        keys: &Arc<[Key]>,
        values: impl Iterator<Item = Option<Arc<NodeValue>>>,
    ) -> Self {
        Self { keys: Arc::clone(keys), values: values.collect() }
    }

    /// The parameters that have a value, each with it.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<NodeValue>)> + Clone {
        self.keys.iter().zip(&self.values).filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// The parameters that have a value.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Arc<NodeValue>> + Clone {
        self.values.iter().flatten()
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<NodeValue>> {
        self.values.iter_mut().flatten()
    }

    /// The parameters that have a value, each with it, to be changed.
    pub fn iter_parameter_values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Arc<NodeValue>)> {
        self.keys.iter().zip(&mut self.values).filter_map(|(key, value)| Some((key, value.as_mut()?)))
    }

    /// The value of a parameter.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&Arc<NodeValue>>
    where
        Key: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The value of a parameter, with its name as it is kept here.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&Key, &Arc<NodeValue>)>
    where
        Key: Borrow<Q>,
    {
        let at = self.keys.binary_search_by(|known| known.borrow().cmp(key)).ok()?;
        Some((&self.keys[at], self.values[at].as_ref()?))
    }

    /// Whether a parameter has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        Key: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Sets the value of a parameter.
    pub fn insert(&mut self, key: Key, value: Arc<NodeValue>) {
        match self.keys.binary_search(&key) {
            Ok(at) => self.values[at] = Some(value),
            Err(at) => {
                let (before, after) = self.keys.split_at(at);
                self.keys = before.iter().chain([&key]).chain(after).cloned().collect();
                self.values.insert(at, Some(value));
            }
        }
    }

    /// How many parameters have a value.
    pub fn len(&self) -> usize {
        self.values().count()
    }

    /// Whether no parameter has a value.
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }
}

impl Default for ValuesOfNodeComponent {
    fn default() -> Self {
        Self { keys: Arc::new([]), values: Vec::new() }
    }
}

impl FromIterator<(Key, Arc<NodeValue>)> for ValuesOfNodeComponent {
    /// Of several values of one parameter the last is taken.
    fn from_iter<I: IntoIterator<Item = (Key, Arc<NodeValue>)>>(values: I) -> Self {
        let sorted: BTreeMap<Key, Arc<NodeValue>> = values.into_iter().collect();
        let (keys, values): (Vec<Key>, Vec<_>) =
            sorted.into_iter().map(|(key, value)| (key, Some(value))).unzip();
        Self { keys: keys.into(), values }
    }
}

impl PartialEq for ValuesOfNodeComponent {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for ValuesOfNodeComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Index<&str> for ValuesOfNodeComponent {
    type Output = Arc<NodeValue>;

    /// Panics if the parameter has no value.
    #[allow(clippy::expect_used, reason = "an index has no other way to say so")]
    fn index(&self, key: &str) -> &Arc<NodeValue> {
        self.get(key).expect("the parameter has a value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn value(number: i64) -> Arc<NodeValue> {
        Arc::new(NodeValue {
            value: Arc::new(Value::Integer(number)),
            secret: false,
            provenance: Arc::default(),
        })
    }

    fn key(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    #[test]
    fn values_with_and_without_absent_keys_are_equal() {
        let keys: Arc<[Key]> = [key("a"), key("b"), key("c")].into();
        let shared = ValuesOfNodeComponent::from_sorted_keys(
            &keys,
            [Some(value(1)), None, Some(value(3))].into_iter(),
        );
        let own: ValuesOfNodeComponent = [(key("c"), value(3)), (key("a"), value(1))].into_iter().collect();
        assert_eq!(shared, own);
        assert_eq!((shared.len(), shared.contains_key("b"), shared.get("b")), (2, false, None));
        assert_ne!(shared, ValuesOfNodeComponent::default());
    }

    #[test]
    fn inserted_value_is_found_and_keeps_the_order() {
        let mut values: ValuesOfNodeComponent = [(key("b"), value(2))].into_iter().collect();
        for (name, number) in [("c", 3), ("a", 1), ("b", 4)] {
            values.insert(key(name), value(number));
        }
        assert_eq!(values.keys().map(Key::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(*values["b"].value, Value::Integer(4));
    }
}
