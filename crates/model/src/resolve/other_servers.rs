//! Reading other servers: which servers a selection stands for, and their values.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Resolver,
    evaluate::{OtherServerValueSource, ServerOrHandwrittenNode, ValueEvaluationState},
};
use crate::{
    estate::PlaceId,
    name::{Name, ServerName},
    node::NodeValue,
    parameter::{Parameter, QualifiedParameterName},
    server_selection::ServerSelectionCriteria,
    value::Value,
};

/// The longest chain of servers that read each other's values.
const MAX_CHAIN: usize = 32;

/// What was read of servers, once for all that read it.
#[derive(Default)]
pub(super) struct SelectedServerValueCache {
    /// The servers of each selection, by name.
    selected: RefCell<HashMap<ServerSelectionCriteria, SelectedServers>>,
    /// The lists that selections became, each with the length of the longest chain in it.
    lists: RefCell<HashMap<ListKey, (Arc<Value>, usize)>>,
    /// Single values, each with the length of the longest chain that begins with it.
    values: RefCell<HashMap<(ServerName, QualifiedParameterName), (ReadValue, usize)>>,
    /// The values in evaluation, each because the one before reads it.
    path: RefCell<Vec<(ServerName, QualifiedParameterName)>>,
    /// The longest chain read for what is in evaluation.
    longest: Cell<usize>,
    /// Whether what is in evaluation fails because of [`MAX_CHAIN`]: then it is not known how it ends by itself.
    is_cut_off: Cell<bool>,
}

/// The servers of a selection. The error completes the sentence "`component.key` ...".
type SelectedServers = Result<Arc<Vec<ServerName>>, String>;

/// What a list of selected servers depends on.
type ListKey = (ServerSelectionCriteria, Vec<QualifiedParameterName>, bool);

/// A value of another server; `None` if it has none. The error completes the sentence "`component.key` ...".
type ReadValue = Result<Option<Arc<NodeValue>>, String>;

/// Reads other servers for one server, and remembers what it read.
pub(super) struct OtherServerReader<'r, 'a> {
    resolver: &'r Resolver<'a>,
    environment: &'a Name,
    reads: RefCell<SelectionsAndServersRead>,
}

/// What a server read of others.
#[derive(Default)]
pub(super) struct SelectionsAndServersRead {
    pub(super) environments: BTreeSet<PlaceId>,
    pub(super) selections: BTreeSet<ServerSelectionCriteria>,
    pub(super) servers: BTreeSet<ServerName>,
}

impl<'r, 'a> OtherServerReader<'r, 'a> {
    pub(super) fn new(resolver: &'r Resolver<'a>, environment: &'a Name) -> Self {
        Self { resolver, environment, reads: RefCell::default() }
    }

    pub(super) fn into_selections_and_servers_read(self) -> SelectionsAndServersRead {
        self.reads.into_inner()
    }

    /// Refuses an environment that does not let this one read it.
    fn check_environment(&self, selected: &Name) -> Result<(), String> {
        let environments = &self.resolver.estate.environments;
        let Some(environment) = environments.get(selected) else {
            return Err(
                match crate::suggest_spelling(selected.as_str(), environments.keys().map(Name::as_str)) {
                    Some(near) => {
                        format!(
                            "selects servers of environment `{selected}`, which does not exist; did you mean `{near}`?"
                        )
                    }
                    None => format!("selects servers of environment `{selected}`, which does not exist"),
                },
            );
        };
        if selected == self.environment || environment.readable_from.contains(self.environment) {
            return Ok(());
        }
        Err(format!(
            "selects servers of environment `{selected}`, which servers of `{}` may not read; list `{}` under \
             `readable_from` of environment `{selected}`, or select servers of `{}`",
            self.environment, self.environment, self.environment
        ))
    }
}

impl OtherServerValueSource for OtherServerReader<'_, '_> {
    fn read_values_of_selected_servers(
        &self,
        selection: &ServerSelectionCriteria,
        parameter: &Parameter,
    ) -> Result<Arc<Value>, String> {
        let mut reads = self.reads.borrow_mut();
        reads.environments.insert(PlaceId::Environment(selection.environment.clone()));
        reads.selections.insert(selection.clone());
        drop(reads);
        self.check_environment(&selection.environment)?;
        let servers = self.resolver.selected_servers(selection)?;
        self.reads.borrow_mut().servers.extend(servers.iter().cloned());
        self.resolver.server_list(selection, &servers, parameter)
    }
}

impl<'a> Resolver<'a> {
    /// The servers of a selection, in the order of their names.
    fn selected_servers(&self, selection: &ServerSelectionCriteria) -> SelectedServers {
        if let Some(known) = self.server_values.selected.borrow().get(selection) {
            return known.clone();
        }
        let mut selected = Vec::new();
        let mut result = Ok(());
        let in_environment =
            self.estate.servers.iter().filter(|(_, server)| server.environment == selection.environment);
        for (name, server) in in_environment {
            if selection.group.as_ref().is_some_and(|group| !server.groups.contains(group)) {
                continue;
            }
            match self.matches_selected_role_and_component(name, selection) {
                Ok(true) => selected.push(name.clone()),
                Ok(false) => (),
                Err(why) => {
                    result = Err(format!("selects {selection}, and server {name} may be one of them: {why}"));
                    break;
                }
            }
        }
        let result = result.map(|()| Arc::new(selected));
        self.server_values.selected.borrow_mut().insert(selection.clone(), result.clone());
        result
    }

    /// Whether a server has the role and runs the component of a selection.
    pub(super) fn matches_selected_role_and_component(
        &self,
        server: &ServerName,
        selection: &ServerSelectionCriteria,
    ) -> Result<bool, String> {
        if selection.role.is_none() && selection.component.is_none() {
            return Ok(true);
        }
        let places = self.places_of(server).map_err(|faults| first_fault_message(&faults))?;
        if let Some(role) = &selection.role {
            let stack = places
                .stack_places(self.estate, &self.hierarchy)
                .map_err(|faults| first_fault_message(&faults))?;
            let has_role = |place: &PlaceId| matches!(place, PlaceId::Role(name) if name == role);
            if !stack.layers.iter().any(|layer| has_role(&layer.place)) {
                return Ok(false);
            }
        }
        let Some(component) = &selection.component else { return Ok(true) };
        let evaluation =
            self.server_evaluation(&places).map_err(|error| first_fault_message(&error.faults))?;
        Ok(evaluation.components.find_chosen_component_by_name(component).is_some())
    }

    /// The list that a selection becomes.
    fn server_list(
        &self,
        selection: &ServerSelectionCriteria,
        servers: &[ServerName],
        parameter: &Parameter,
    ) -> Result<Arc<Value>, String> {
        let key = (selection.clone(), parameter.reads.clone(), parameter.secret);
        if let Some((known, length)) = self.server_values.lists.borrow().get(&key) {
            self.server_values.add_chain(*length)?;
            return Ok(Arc::clone(known));
        }
        let servers = || servers.iter().map(|name| self.selected_server(name, parameter));
        let (list, length) = self.server_values.measure(|| servers().collect::<Result<Vec<_>, _>>());
        let list = Arc::new(Value::List(list?));
        self.server_values.lists.borrow_mut().insert(key, (Arc::clone(&list), length));
        Ok(list)
    }

    /// One selected server as its reader gets it.
    fn selected_server(&self, name: &ServerName, parameter: &Parameter) -> Result<Value, String> {
        let server = &self.estate.servers[name];
        let mut values: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for read in &parameter.reads {
            let Some(value) = self.read_value(name, read)? else { continue };
            if value.secret && !(parameter.secret && self.is_shared(name, read)) {
                return Err(format!(
                    "reads `{read}` of server {name}, which is secret; both must say so: `shared: true` for `{read}` \
                     in its component, and `secret: true` for the parameter that reads it"
                ));
            }
            let of_component = values.entry(read.component.to_string()).or_default();
            of_component.insert(read.key.to_string(), Value::clone(&value.value));
        }
        let text = |text: String| Value::Text(text);
        let addresses: Vec<Value> =
            server.addresses.iter().map(|address| text(address.to_string())).collect();
        let map = |entries: BTreeMap<String, Value>| Value::Map(entries);
        let labels = server.labels.iter().map(|(key, value)| (key.clone(), text(value.clone())));
        let values = values.into_iter().map(|(component, values)| (component, map(values)));
        let entries = [
            ("name", text(name.to_string())),
            ("environment", text(server.environment.to_string())),
            ("address", addresses.first().cloned().unwrap_or_else(|| Value::from(""))),
            ("addresses", Value::List(addresses)),
            ("labels", map(labels.collect())),
            ("values", map(values.collect())),
        ];
        Ok(map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    /// Whether the component that holds a secret lets other servers read it.
    fn is_shared(&self, server: &ServerName, read: &QualifiedParameterName) -> bool {
        let Ok(places) = self.places_of(server) else { return false };
        let Ok(evaluation) = self.server_evaluation(&places) else { return false };
        let chosen = evaluation.components.find_chosen_component_by_name(&read.component);
        let parameter = chosen.and_then(|chosen| chosen.published.component.parameters.get(&read.key));
        parameter.is_some_and(|parameter| parameter.shared)
    }

    /// A value of a server, evaluated without the rest of its node.
    fn read_value(&self, server: &ServerName, read: &QualifiedParameterName) -> ReadValue {
        let key = (server.clone(), read.clone());
        let all = &self.server_values;
        if let Some((known, length)) = all.values.borrow().get(&key) {
            all.add_chain(*length)?;
            return known.clone();
        }
        let path = all.path.borrow();
        if let Some(start) = path.iter().position(|at| *at == key) {
            let cycle = path[start..].iter().chain([&key]);
            let cycle: Vec<String> = cycle.map(|(server, read)| format!("`{read}` of {server}")).collect();
            return Err(format!("reads values of servers that read each other: {}", cycle.join(" -> ")));
        }
        drop(path);
        all.add_chain(1)?;
        all.path.borrow_mut().push(key.clone());
        let (value, length) = all.measure(|| self.evaluate_value(server, read));
        all.path.borrow_mut().pop();
        all.longest.set(all.longest.get().max(length + 1));
        if !all.is_cut_off.get() {
            all.values.borrow_mut().insert(key, (value.clone(), length + 1));
        } else if all.path.borrow().is_empty() {
            all.is_cut_off.set(false);
        }
        value
    }

    fn evaluate_value(&self, server: &ServerName, read: &QualifiedParameterName) -> ReadValue {
        let why = |why: String| format!("reads `{read}` of server {server}, which cannot be resolved: {why}");
        let places = self.places_of(server).map_err(|faults| why(first_fault_message(&faults)))?;
        let evaluation =
            self.server_evaluation(&places).map_err(|error| why(first_fault_message(&error.faults)))?;
        let Some(slot) = evaluation.find_parameter_slot(&read.component, &read.key) else { return Ok(None) };
        let others = OtherServerReader::new(self, &places.server.environment);
        let subject = ServerOrHandwrittenNode::Server { name: places.name, others: &others };
        let mut evaluator = evaluation.new_value_evaluator(&self.values, subject, self.catalog);
        match evaluator.evaluate_parameter(slot) {
            (ValueEvaluationState::Final(value), _) => Ok(value.value.clone()),
            (_, faults) => Err(why(first_fault_message(faults))),
        }
    }
}

impl SelectedServerValueCache {
    /// Notes that what is in evaluation reads a chain of this length, unless that is too long.
    fn add_chain(&self, length: usize) -> Result<(), String> {
        let before = self.path.borrow().len();
        if before + length > MAX_CHAIN {
            self.is_cut_off.set(before > 0);
            return Err(format!("is at the end of more than {MAX_CHAIN} servers that read each other"));
        }
        self.longest.set(self.longest.get().max(length));
        Ok(())
    }

    /// The length of the longest chain that is read.
    fn measure<T>(&self, read: impl FnOnce() -> T) -> (T, usize) {
        let outer = self.longest.replace(0);
        let found = read();
        let length = self.longest.get();
        self.longest.set(outer.max(length));
        (found, length)
    }
}

fn first_fault_message(faults: &[super::EstateFault]) -> String {
    faults.first().map_or_else(|| "its values are too large".to_owned(), ToString::to_string)
}
