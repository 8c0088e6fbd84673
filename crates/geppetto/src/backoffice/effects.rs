//! What a change does to servers, and which grants it therefore needs.

use std::collections::BTreeSet;

use model::{
    catalog::Catalog,
    estate::{Estate, Overrides, Place, Server},
    format::{estate, node::content_digest},
    name::{Name, ServerName},
    node::Node,
    resolve::{affected_servers, resolve},
};

use crate::{auth::EffectScope, store::PlaceChange};

/// What a change does.
#[derive(Debug, Default)]
pub(super) struct ChangeEffects {
    /// The servers whose node file changes.
    pub(super) servers: Vec<String>,
    /// Where its effects fall: a grant is needed in each.
    pub(super) scopes: BTreeSet<EffectScope>,
}

impl ChangeEffects {
    /// The effects of going from `old` to `new`. Only servers the change can reach are resolved, once before and
    /// once after.
    pub(super) fn of(old: &Estate, new: &Estate, catalog: &Catalog, changes: &[PlaceChange]) -> Self {
        let mut effects = Self::default();
        for server in affected_servers(old, new) {
            effects.add_server(&server, old, new, catalog);
        }
        for change in changes {
            effects.add_place(&change.path, old, new);
        }
        effects
    }

    fn add_server(&mut self, name: &ServerName, old: &Estate, new: &Estate, catalog: &Catalog) {
        let node = |estate| resolve(estate, catalog, name).ok();
        let (before, after) = (node(old), node(new));
        let digest = |node: &Option<Node>| node.as_ref().map(content_digest);
        let differs = digest(&before) != digest(&after);
        if differs {
            self.servers.push(name.to_string());
        }
        let environments: BTreeSet<&Name> = [old, new]
            .into_iter()
            .filter_map(|estate| Some(&estate.servers.get(name)?.environment))
            .collect();
        let components = match (&before, &after) {
            (Some(before), Some(after)) if differs => changed_components(before, after),
            (Some(_), Some(_)) => BTreeSet::new(),
            // What cannot be resolved can become anything once it can.
            _ => BTreeSet::from([None]),
        };
        for environment in environments {
            for component in &components {
                let environment = Some(environment.clone());
                self.scopes.insert(EffectScope { environment, component: component.cloned() });
            }
        }
    }

    /// An environment and a server belong to an environment, also where no node file changes yet.
    fn add_place(&mut self, path: &str, old: &Estate, new: &Estate) {
        match estate::place_of_document(path) {
            Ok(Place::Environment(name)) => _ = self.scopes.insert(EffectScope::environment(&name)),
            Ok(Place::Server(name)) => {
                let (before, after) = (old.servers.get(&name), new.servers.get(&name));
                if before.map(without_overrides) == after.map(without_overrides) {
                    return;
                }
                for server in [before, after].into_iter().flatten() {
                    self.scopes.insert(EffectScope::environment(&server.environment));
                }
            }
            _ => {}
        }
    }
}

/// A server but for its values and requirements, whose effects are in its node file.
fn without_overrides(server: &Server) -> Server {
    Server { overrides: Overrides::default(), ..server.clone() }
}

/// The components whose version or values differ; `None` where something else of the node does.
fn changed_components<'a>(before: &'a Node, after: &'a Node) -> BTreeSet<Option<&'a Name>> {
    let names: BTreeSet<&Name> = before.components.keys().chain(after.components.keys()).collect();
    let differs = |name: &&Name| before.components.get(*name) != after.components.get(*name);
    let mut changed: BTreeSet<Option<&Name>> = names.into_iter().filter(differs).map(Some).collect();
    if changed.is_empty() || before.environment != after.environment || before.channel != after.channel {
        changed.insert(None);
    }
    changed
}
