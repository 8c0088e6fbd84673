//! Effects as people see them, and which grants they need.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    effect::{Effect, effect_value_texts_with_secrets_masked, group_servers_by_effects},
    estate::{Estate, PlaceId, PlaceSettings, Server},
    format::estate,
    name::ServerName,
    wire,
};

use super::mask::SecretParameters;
use crate::{auth::EnvironmentAndComponentScope, store::PlaceChange};

/// The effects on all servers, grouped, with secrets masked.
pub(super) fn group_and_mask_effects(
    effects: BTreeMap<ServerName, Vec<Effect>>,
    secrets: &SecretParameters,
) -> Vec<wire::ServersWithSameEffectDescriptions> {
    let masked = effects.into_iter().map(|(server, mut effects)| {
        effects.iter_mut().for_each(|effect| mark_secrets(effect, secrets));
        (server, effects)
    });
    let groups =
        group_servers_by_effects(masked).into_iter().map(|group| wire::ServersWithSameEffectDescriptions {
            effects: group.effects.iter().map(summarize).collect(),
            servers: group.servers.iter().map(ToString::to_string).collect(),
        });
    groups.collect()
}

/// A value is a secret if any version of its component ever declared it so.
fn mark_secrets(effect: &mut Effect, secrets: &SecretParameters) {
    if let Effect::Value { component, key, from, to } = effect
        && secrets.was_parameter_ever_secret(component, key) != Some(false)
    {
        from.iter_mut().chain(to).for_each(|value| value.secret = true);
    }
}

fn summarize(effect: &Effect) -> wire::EffectDescription {
    let (kind, from, to) = match effect {
        Effect::Leaves => ("leaves", None, None),
        Effect::Unresolvable { .. } => ("unresolvable", None, None),
        Effect::Removes { version, .. } => ("removes", Some(version.to_string()), None),
        Effect::Downgrades { from, to, .. } => ("downgrades", Some(from.to_string()), Some(to.to_string())),
        Effect::Environment { from, to } => ("environment", Some(from.to_string()), Some(to.to_string())),
        Effect::Channel { from, to } => ("channel", Some(from.to_string()), Some(to.to_string())),
        Effect::Installs { version, .. } => ("installs", None, Some(version.to_string())),
        Effect::Upgrades { from, to, .. } => ("upgrades", Some(from.to_string()), Some(to.to_string())),
        Effect::Repackages { version, .. } => ("repackages", None, Some(version.to_string())),
        Effect::Value { from, to, .. } => {
            let (before, after) = effect_value_texts_with_secrets_masked(from.as_ref(), to.as_ref());
            ("value", from.is_some().then_some(before), to.is_some().then_some(after))
        }
    };
    let key = match effect {
        Effect::Value { key, .. } => Some(key.to_string()),
        _ => None,
    };
    wire::EffectDescription {
        kind: kind.to_owned(),
        component: effect.component_of_effect().map(ToString::to_string),
        key,
        from,
        to,
        takes_away: effect.is_shown_first(),
        text: effect.to_string(),
    }
}

/// Where effects fall, and what else a change touches: a grant is needed in each.
pub(super) fn find_affected_environment_component_pairs(
    effects: &BTreeMap<ServerName, Vec<Effect>>,
    old: &Estate,
    new: &Estate,
    changes: &[PlaceChange],
) -> BTreeSet<EnvironmentAndComponentScope> {
    let mut scopes = BTreeSet::new();
    for (server, effects) in effects {
        let servers = [old, new].into_iter().filter_map(|estate| estate.servers.get(server));
        for environment in servers.map(|server| &server.environment) {
            for effect in effects {
                // What cannot be resolved can become anything once it can.
                let component = effect.component_of_effect().cloned();
                scopes.insert(EnvironmentAndComponentScope {
                    environment: Some(environment.clone()),
                    component,
                });
            }
        }
    }
    for change in changes {
        add_place_scopes(&change.path, old, new, &mut scopes);
    }
    scopes
}

/// An environment and a server belong to an environment, also where no node file changes yet.
fn add_place_scopes(
    path: &str,
    old: &Estate,
    new: &Estate,
    scopes: &mut BTreeSet<EnvironmentAndComponentScope>,
) {
    match estate::place_of_document_path(path) {
        Ok(PlaceId::Environment(name)) => {
            _ = scopes.insert(EnvironmentAndComponentScope::scope_of_environment(&name))
        }
        Ok(PlaceId::Server(name)) => {
            let (before, after) = (old.servers.get(&name), new.servers.get(&name));
            if before.map(without_settings) == after.map(without_settings) {
                return;
            }
            for server in [before, after].into_iter().flatten() {
                scopes.insert(EnvironmentAndComponentScope::scope_of_environment(&server.environment));
            }
        }
        _ => {}
    }
}

/// A server but for its values and requirements, whose effects are in its node file.
fn without_settings(server: &Server) -> Server {
    Server { settings: PlaceSettings::default(), ..server.clone() }
}
