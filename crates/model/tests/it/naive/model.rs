//! Resolution written down in the most obvious way: nothing is shared, nothing is remembered, versions are found by
//! trying every combination. Slow, and easy to compare with `docs/explanation/resolution.md`.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    catalog::ComponentCatalog,
    component::Component,
    estate::{Estate, PlaceSettings, RemovedInheritedItem},
    name::{Key, Name, ServerName},
    parameter::{MergeStrategy, Parameter, ParameterType},
    value::Value,
    version::{Version, VersionRange},
};

use super::merge::{append, deep, without_entry};

/// The components of a server with their versions and values; of each value whether it is secret.
pub(crate) type NaiveNode = BTreeMap<Name, (Version, BTreeMap<Key, (Value, bool)>)>;

/// Why a server or a value cannot be resolved.
type Fault = String;

/// A value and whether it is secret; `None` if there is none.
type Evaluated = Result<Option<(Value, bool)>, Fault>;

/// A value of a server.
type Asked = (ServerName, Name, Key);

/// Resolves from scratch whatever it is asked.
pub(crate) struct Naive<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) catalog: &'a ComponentCatalog,
}

impl<'a> Naive<'a> {
    /// The node of a server.
    pub(crate) fn node(&self, server: &ServerName) -> Result<NaiveNode, Fault> {
        let places = self.places(server)?;
        let versions = self.versions(server)?;
        let mut node = NaiveNode::new();
        for (name, component) in versions {
            for place in until_removed(&places, name) {
                for key in place.values.get(name).into_iter().flat_map(BTreeMap::keys) {
                    component.parameters.get(key).ok_or(format!("unknown {name}.{key}"))?;
                }
            }
            let mut values = BTreeMap::new();
            for key in component.parameters.keys() {
                let value = self.value(&(server.clone(), name.clone(), key.clone()), &[])?;
                values.extend(value.map(|value| (key.clone(), value)));
            }
            node.insert(name.clone(), (component.version.clone(), values));
        }
        Ok(node)
    }

    /// What the places of a server say, strongest first.
    fn places(&self, server: &ServerName) -> Result<Vec<&'a PlaceSettings>, Fault> {
        let found = &self.estate.servers[server];
        let mut places = vec![&found.settings];
        for group in &found.groups {
            places.push(&self.estate.groups.get(group).ok_or(format!("unknown {group}"))?.settings);
        }
        let environment = &found.environment;
        places.push(&self.estate.environments.get(environment).ok_or("unknown environment")?.settings);
        let roles = self.roles(server)?;
        places.extend(roles.iter().map(|role| &self.estate.roles[role].settings));
        Ok(places)
    }

    /// The roles of a server in C3 order.
    fn roles(&self, server: &ServerName) -> Result<Vec<Name>, Fault> {
        self.merge_roles(&self.estate.servers[server].roles, &[])
    }

    fn linearise(&self, role: &Name, path: &[Name]) -> Result<Vec<Name>, Fault> {
        if path.contains(role) {
            return Err(format!("cycle of {role}"));
        }
        let inherits = &self.estate.roles.get(role).ok_or(format!("unknown {role}"))?.inherits;
        let rest = self.merge_roles(inherits, &[path, std::slice::from_ref(role)].concat())?;
        Ok([vec![role.clone()], rest].concat())
    }

    fn merge_roles(&self, wanted: &[Name], path: &[Name]) -> Result<Vec<Name>, Fault> {
        let mut lists = Vec::new();
        for role in wanted {
            lists.push(self.linearise(role, path)?);
        }
        lists.push(wanted.to_vec());
        let mut merged = Vec::new();
        loop {
            lists.retain(|list| !list.is_empty());
            if lists.is_empty() {
                return Ok(merged);
            }
            let is_free = |head: &Name| lists.iter().all(|list| !list[1..].contains(head));
            let free = lists.iter().map(|list| list[0].clone()).find(is_free).ok_or("no order")?;
            for list in &mut lists {
                list.retain(|role| *role != free);
            }
            merged.push(free);
        }
    }

    /// The first right combination of versions, where the newest version of the first component comes first.
    fn versions(&self, server: &ServerName) -> Result<BTreeMap<&'a Name, &'a Component>, Fault> {
        let places = self.places(server)?;
        let said: BTreeSet<&Name> = places.iter().flat_map(|place| place.components.keys()).collect();
        let mut required = BTreeMap::new();
        for name in said {
            let strongest = until_removed(&places, name).find_map(|place| place.components.get(name));
            required.extend(strongest.map(|requirement| (name, &requirement.range)));
        }
        let bounds: Vec<(&Name, &VersionRange)> = places
            .iter()
            .flat_map(|place| place.versions.iter().map(|(name, bound)| (name, &bound.range)))
            .collect();
        let is_removed =
            |name: &Name| places.iter().any(|place| removes(place, name)) && !required.contains_key(name);
        let is_right = |chosen: &BTreeMap<&Name, &Component>| {
            required.iter().all(|(name, range)| range.contains_version(&chosen[name].version))
                && bounds.iter().all(|(name, range)| {
                    chosen.get(name).is_none_or(|component| range.contains_version(&component.version))
                })
                && chosen
                    .values()
                    .flat_map(|component| &component.requires)
                    .all(|(name, range)| range.contains_version(&chosen[name].version) && !is_removed(name))
        };
        let environment = &self.estate.environments[&self.estate.servers[server].environment];
        let order: Vec<&Name> = required.keys().copied().collect();
        self.first_right(&environment.channel, &order, &[], &is_right).ok_or("no versions".to_owned())
    }

    fn first_right(
        &self,
        channel: &Name,
        order: &[&'a Name],
        chosen: &[&'a Component],
        is_right: &dyn Fn(&BTreeMap<&Name, &Component>) -> bool,
    ) -> Option<BTreeMap<&'a Name, &'a Component>> {
        let Some(name) = order.get(chosen.len()) else {
            let all: BTreeMap<&Name, &Component> =
                order.iter().copied().zip(chosen.iter().copied()).collect();
            return is_right(&all).then_some(all);
        };
        self.catalog.component_versions_in_channel(channel, name).iter().rev().find_map(|version| {
            let component = &self.catalog.components[*name][version].component;
            let mut order = order.to_vec();
            for required in component.requires.keys() {
                if !order.contains(&required) {
                    order.push(required);
                }
            }
            self.first_right(channel, &order, &[chosen, &[component]].concat(), is_right)
        })
    }

    /// A value of a server that has the component and the parameter. `path` is what is asked because of which.
    fn value(&self, asked: &Asked, path: &[Asked]) -> Evaluated {
        if path.contains(asked) {
            return Err(format!("cycle of {asked:?}"));
        }
        let path = &[path, std::slice::from_ref(asked)].concat()[..];
        let (server, name, key) = asked;
        let places = self.places(server)?;
        let parameter = &self.versions(server)?[name].parameters[key];
        let is_replaced = parameter.merge == MergeStrategy::Replace;
        let mut secret = parameter.secret;
        let mut values: Vec<Value> = Vec::new();
        let mut removed_entries: Vec<&[String]> = Vec::new();
        let mut add = |written: &Value, removed_entries: &[&[String]], values: &mut Vec<Value>| {
            let mut value = self.expand(written, &mut secret, path)?;
            for entry in removed_entries {
                value = without_entry(&value, entry);
            }
            check(parameter, &value)?;
            values.push(value);
            Ok::<(), Fault>(())
        };
        for place in until_removed(&places, name) {
            let own = place.values.get(name).and_then(|values| values.get(key));
            if let Some(own) = own.filter(|_| values.is_empty() || !is_replaced) {
                add(&own.value, &removed_entries, &mut values)?;
            }
            let mut removes_all = false;
            for removed in &place.remove {
                match &removed.what {
                    RemovedInheritedItem::Value(of, removed) => removes_all |= of == name && removed == key,
                    RemovedInheritedItem::Entry(of, removed, path) if of == name && removed == key => {
                        removed_entries.push(path);
                    }
                    _ => (),
                }
            }
            if removes_all {
                break;
            }
        }
        if let Some(default) = parameter.default.as_ref().filter(|_| values.is_empty() || !is_replaced) {
            add(default, &removed_entries, &mut values)?;
        }
        let merged = match parameter.merge {
            MergeStrategy::Replace => values.into_iter().next(),
            MergeStrategy::Append => append(&values),
            MergeStrategy::Deep => values.into_iter().reduce(|strong, weak| deep(&strong, &weak)),
        };
        let Some(merged) = merged else {
            return if parameter.required { Err("missing".to_owned()) } else { Ok(None) };
        };
        check(parameter, &merged)?;
        Ok(Some(match parameter.kind {
            ParameterType::Servers => (self.select(server, parameter, &merged, path)?, secret),
            _ => (merged, secret),
        }))
    }

    /// The value with its references replaced.
    fn expand(&self, value: &Value, secret: &mut bool, path: &[Asked]) -> Result<Value, Fault> {
        Ok(match value {
            Value::List(items) => {
                let items = items.iter().map(|item| self.expand(item, secret, path));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Value::Map(map) => {
                let entries =
                    map.iter().map(|(key, item)| Ok((key.clone(), self.expand(item, secret, path)?)));
                Value::Map(entries.collect::<Result<_, Fault>>()?)
            }
            Value::Text(text) => self.expand_text(text, secret, path)?,
            other => other.clone(),
        })
    }

    fn expand_text(&self, text: &str, secret: &mut bool, path: &[Asked]) -> Result<Value, Fault> {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some(inside) = whole.filter(|inside| !inside.contains('}')) {
            return self.refer(inside, secret, path);
        }
        let mut joined = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("$${") {
                joined.push_str("${");
                rest = after;
            } else if let Some(after) = rest.strip_prefix("${") {
                let (inside, after) = after.split_once('}').ok_or("not closed")?;
                joined.push_str(&match self.refer(inside, secret, path)? {
                    Value::Text(text) => text,
                    Value::List(_) | Value::Map(_) | Value::Null => {
                        return Err("collection in a text".to_owned());
                    }
                    simple => simple.to_string(),
                });
                rest = after;
            } else {
                let first = rest.chars().next().map_or(0, char::len_utf8);
                joined.push_str(&rest[..first]);
                rest = &rest[first..];
            }
        }
        Ok(Value::Text(joined))
    }

    fn refer(&self, inside: &str, secret: &mut bool, path: &[Asked]) -> Result<Value, Fault> {
        let (server, ..) = path.last().ok_or("nobody refers")?;
        let unknown = || format!("unknown {inside}");
        match inside {
            "server.name" => return Ok(server.as_str().into()),
            "server.environment" => return Ok(self.estate.servers[server].environment.as_str().into()),
            _ => (),
        }
        let (name, key) = inside.split_once('.').ok_or_else(unknown)?;
        let (name, key) = (Name::new(name).map_err(|_| unknown())?, Key::new(key).map_err(|_| unknown())?);
        let is_known =
            self.versions(server)?.get(&name).is_some_and(|found| found.parameters.contains_key(&key));
        let value = if is_known { self.value(&(server.clone(), name, key), path)? } else { None };
        let (value, is_secret) = value.ok_or_else(unknown)?;
        *secret |= is_secret;
        Ok(value)
    }

    /// The servers that a selection stands for, as their reader gets them.
    fn select(
        &self,
        reader: &ServerName,
        parameter: &Parameter,
        selection: &Value,
        path: &[Asked],
    ) -> Result<Value, Fault> {
        let own = &self.estate.servers[reader].environment;
        let Value::Map(wanted) = selection else { return Err("no selection".to_owned()) };
        let wanted = |key: &str| wanted.get(key).and_then(Value::as_text);
        if ["role", "group", "component", "environment"]
            .into_iter()
            .filter_map(wanted)
            .any(|name| Name::new(name).is_err())
        {
            return Err("not a name".to_owned());
        }
        let environment = wanted("environment").unwrap_or(own.as_str());
        let found = self.estate.environments.get(environment).ok_or("unknown environment")?;
        if environment != own.as_str() && !found.readable_from.contains(own) {
            return Err(format!("{environment} may not be read"));
        }
        let mut list = Vec::new();
        for (name, server) in &self.estate.servers {
            if server.environment.as_str() != environment
                || wanted("group")
                    .is_some_and(|group| !server.groups.iter().any(|in_it| in_it.as_str() == group))
            {
                continue;
            }
            if wanted("role").is_some() || wanted("component").is_some() {
                self.places(name)?;
            }
            if let Some(role) = wanted("role")
                && !self.roles(name)?.iter().any(|has| has.as_str() == role)
            {
                continue;
            }
            if let Some(component) = wanted("component")
                && !self.versions(name)?.keys().any(|has| has.as_str() == component)
            {
                continue;
            }
            list.push(self.selected(name, parameter, path)?);
        }
        Ok(Value::List(list))
    }

    fn selected(&self, name: &ServerName, parameter: &Parameter, path: &[Asked]) -> Result<Value, Fault> {
        let server = &self.estate.servers[name];
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for read in &parameter.reads {
            let Some(declared) =
                self.versions(name)?.get(&read.component).and_then(|found| found.parameters.get(&read.key))
            else {
                continue;
            };
            let asked = (name.clone(), read.component.clone(), read.key.clone());
            let Some((value, secret)) = self.value(&asked, path)? else { continue };
            if secret && !(declared.shared && parameter.secret) {
                return Err(format!("secret {asked:?}"));
            }
            let of_component =
                values.entry(read.component.to_string()).or_insert(Value::Map(BTreeMap::new()));
            if let Value::Map(of_component) = of_component {
                of_component.insert(read.key.to_string(), value);
            }
        }
        let addresses: Vec<Value> =
            server.addresses.iter().map(|address| Value::Text(address.to_string())).collect();
        let labels = server.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
        let entries = [
            ("name", name.as_str().into()),
            ("environment", server.environment.as_str().into()),
            ("address", addresses.first().cloned().unwrap_or("".into())),
            ("addresses", Value::List(addresses)),
            ("labels", Value::Map(labels.collect())),
            ("values", Value::Map(values)),
        ];
        Ok(Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }
}

fn removes(place: &PlaceSettings, component: &Name) -> bool {
    place.remove.iter().any(|removed| removed.what == RemovedInheritedItem::Component(component.clone()))
}

/// The places down to the one that removes the component, which still counts.
fn until_removed<'p, 'a>(
    places: &'p [&'a PlaceSettings],
    component: &Name,
) -> impl Iterator<Item = &'a PlaceSettings> + use<'p, 'a> {
    let removing = places.iter().position(|place| removes(place, component));
    places[..removing.map_or(places.len(), |at| at + 1)].iter().copied()
}

fn check(parameter: &Parameter, value: &Value) -> Result<(), Fault> {
    match parameter.kind {
        // It is a selection yet.
        ParameterType::Servers => parameter.check_unresolved_value(value),
        _ => parameter.check_final_value(value),
    }
}
