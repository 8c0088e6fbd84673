//! Effects: what a change, publication, promotion or withdrawal does to a server.

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::{
    name::{Key, Name, ServerName},
    node::{NodeComponent, NodeValue, RequirementProvenanceKind},
    resolve::{Resolution, ResolveFaults},
    value::{Value, ValueComparedAsWritten},
    version::Version,
};

/// One thing that changes for a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The server leaves the estate: it gets no node file any more, and its credential is revoked.
    Leaves,
    /// The server cannot be resolved: it keeps its last node file.
    Unresolvable {
        /// The first fault.
        fault: String,
    },
    /// A component is removed.
    Removes {
        /// The component.
        component: Name,
        /// Its version so far.
        version: Version,
    },
    /// A component gets an older version.
    Downgrades {
        /// The component.
        component: Name,
        /// Its version so far.
        from: Version,
        /// The older version.
        to: Version,
        /// Why, when a removal is the cause.
        cause: Option<String>,
    },
    /// The server moves to another environment.
    Environment {
        /// Where it was.
        from: Name,
        /// Where it is then.
        to: Name,
    },
    /// The server installs from another channel.
    Channel {
        /// The channel so far.
        from: Name,
        /// The channel then.
        to: Name,
    },
    /// A component is installed.
    Installs {
        /// The component.
        component: Name,
        /// Its version.
        version: Version,
    },
    /// A component gets a newer version.
    Upgrades {
        /// The component.
        component: Name,
        /// Its version so far.
        from: Version,
        /// The newer version.
        to: Version,
    },
    /// A version comes in other packages.
    Repackages {
        /// The component.
        component: Name,
        /// Its version.
        version: Version,
    },
    /// A value changes.
    Value {
        /// The component.
        component: Name,
        /// The parameter.
        key: Key,
        /// The value so far; `None` if there was none.
        from: Option<UnmaskedEffectValue>,
        /// The value then; `None` if there is none.
        to: Option<UnmaskedEffectValue>,
    },
}

/// A value before or after a change.
#[derive(Debug, Clone)]
pub struct UnmaskedEffectValue {
    /// The value.
    pub value: Arc<Value>,
    /// It is never shown.
    pub secret: bool,
}

impl PartialEq for UnmaskedEffectValue {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
            && (Arc::ptr_eq(&self.value, &other.value)
                || ValueComparedAsWritten(&self.value) == ValueComparedAsWritten(&other.value))
    }
}

impl Effect {
    /// Whether something is taken away: such effects are shown first.
    pub fn is_shown_first(&self) -> bool {
        matches!(
            self,
            Effect::Leaves
                | Effect::Unresolvable { .. }
                | Effect::Removes { .. }
                | Effect::Downgrades { .. }
                | Effect::Environment { .. }
        )
    }

    /// The component it is about, if it is about one.
    pub fn component_of_effect(&self) -> Option<&Name> {
        match self {
            Effect::Removes { component, .. }
            | Effect::Downgrades { component, .. }
            | Effect::Installs { component, .. }
            | Effect::Upgrades { component, .. }
            | Effect::Repackages { component, .. }
            | Effect::Value { component, .. } => Some(component),
            _ => None,
        }
    }
}

impl Effect {
    /// Equal effects have the same hash; versions that are written differently and mean the same need not.
    fn add_to_hash(&self, state: &mut DefaultHasher) {
        std::mem::discriminant(self).hash(state);
        self.component_of_effect().hash(state);
        if let Effect::Value { key, from, to, .. } = self {
            key.hash(state);
            for value in [from, to] {
                value.as_ref().map(|value| (value.secret, ValueComparedAsWritten(&value.value))).hash(state);
            }
        }
    }
}

/// A server before or after a change: resolved, or why not. `None` if it is not in the estate.
pub type OptionalResolutionResult<'r> = Option<Result<&'r Resolution, &'r ResolveFaults>>;

/// The effects on one server. Nothing is compared whose digests are the same.
pub fn find_effects_on_server(
    before: OptionalResolutionResult<'_>,
    after: OptionalResolutionResult<'_>,
) -> Vec<Effect> {
    let (before, after) = match (before, after) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec![Effect::Leaves],
        (Some(Err(before)), Some(Err(after))) if before == after => return Vec::new(),
        (_, Some(Err(error))) => return vec![Effect::Unresolvable { fault: error.first_fault_message() }],
        (Some(Ok(before)), Some(Ok(after))) => (Some(before), after),
        (None | Some(Err(_)), Some(Ok(after))) => (None, after),
    };
    let mut effects = Vec::new();
    let Some(before) = before else {
        for (name, component) in &after.node.components {
            effects.push(Effect::Installs { component: name.clone(), version: component.version.clone() });
        }
        return effects;
    };
    if before.digest == after.digest {
        return effects;
    }
    if before.node.environment != after.node.environment {
        let (from, to) = (before.node.environment.clone(), after.node.environment.clone());
        effects.push(Effect::Environment { from, to });
    }
    if before.node.channel != after.node.channel {
        let (from, to) = (before.node.channel.clone(), after.node.channel.clone());
        effects.push(Effect::Channel { from, to });
    }
    let old = before.node.components.iter().zip(&before.component_digests);
    let mut old = old.peekable();
    for ((name, component), digest) in after.node.components.iter().zip(&after.component_digests) {
        while let Some(((gone, was), _)) = old.next_if(|((old, _), _)| *old < name) {
            effects.push(Effect::Removes { component: gone.clone(), version: was.version.clone() });
        }
        match old.next_if(|((old, _), _)| *old == name) {
            Some((_, before)) if before == digest => {}
            Some(((_, was), _)) => compare_components(name, was, component, &mut effects),
            None => {
                effects
                    .push(Effect::Installs { component: name.clone(), version: component.version.clone() });
            }
        }
    }
    for ((gone, was), _) in old {
        effects.push(Effect::Removes { component: gone.clone(), version: was.version.clone() });
    }
    effects.sort_by_key(|effect| !effect.is_shown_first());
    effects
}

fn compare_components(name: &Name, old: &NodeComponent, new: &NodeComponent, effects: &mut Vec<Effect>) {
    let component = || name.clone();
    let (from, to) = (old.version.clone(), new.version.clone());
    match old.version.cmp(&new.version) {
        std::cmp::Ordering::Less => effects.push(Effect::Upgrades { component: component(), from, to }),
        std::cmp::Ordering::Greater => {
            let cause = downgrade_cause(new);
            effects.push(Effect::Downgrades { component: component(), from, to, cause });
        }
        std::cmp::Ordering::Equal => {
            if (&old.payload, &old.deployment) != (&new.payload, &new.deployment) {
                effects.push(Effect::Repackages { component: component(), version: to });
            }
        }
    }
    let mut keys: Vec<&Key> = old.values.keys().chain(new.values.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let (from, to) = (old.values.get(key), new.values.get(key));
        if from.zip(to).is_some_and(|(from, to)| Arc::ptr_eq(from, to)) {
            continue;
        }
        let effect_value = |value: &Arc<NodeValue>| UnmaskedEffectValue {
            value: Arc::clone(&value.value),
            secret: value.secret,
        };
        let (from, to) = (from.map(effect_value), to.map(effect_value));
        if from != to {
            effects.push(Effect::Value { component: component(), key: key.clone(), from, to });
        }
    }
}

/// The removal that keeps a component from a newer version.
fn downgrade_cause(component: &NodeComponent) -> Option<String> {
    component.requirements.iter().find_map(|requirement| match &requirement.what {
        RequirementProvenanceKind::Excludes { version, requires } => {
            Some(format!("{version} requires `{requires}`, which {} removes", requirement.place))
        }
        _ => None,
    })
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Leaves => f.write_str("leaves; its credential is revoked"),
            Effect::Unresolvable { fault } => {
                write!(f, "cannot be resolved and keeps its last node file: {fault}")
            }
            Effect::Removes { component, version } => write!(f, "removes {component} {version}"),
            Effect::Downgrades { component, from, to, cause } => {
                write!(f, "downgrades {component} {from} -> {to}")?;
                cause.iter().try_for_each(|cause| write!(f, ", because {cause}"))
            }
            Effect::Environment { from, to } => write!(f, "moves from environment {from} to {to}"),
            Effect::Channel { from, to } => write!(f, "installs from channel {to} instead of {from}"),
            Effect::Installs { component, version } => write!(f, "installs {component} {version}"),
            Effect::Upgrades { component, from, to } => write!(f, "upgrades {component} {from} -> {to}"),
            Effect::Repackages { component, version } => {
                write!(f, "replaces the packages of {component} {version}")
            }
            Effect::Value { component, key, from, to } => {
                let (from, to) = effect_value_texts_with_secrets_masked(from.as_ref(), to.as_ref());
                write!(f, "{component}.{key}: {from} -> {to}")
            }
        }
    }
}

/// Both values as people see them: secrets are masked, in both if either is one.
pub fn effect_value_texts_with_secrets_masked(
    from: Option<&UnmaskedEffectValue>,
    to: Option<&UnmaskedEffectValue>,
) -> (String, String) {
    const NONE: &str = "(none)";
    let secret = [from, to].into_iter().flatten().any(|value| value.secret);
    let shown = |value: Option<&UnmaskedEffectValue>, mask: &str| match value {
        None => NONE.to_owned(),
        Some(_) if secret => mask.to_owned(),
        Some(value) => shorten(&value.value),
    };
    let changed = if from.is_some() { "(secret, changed)" } else { "(secret)" };
    (shown(from, "(secret)"), shown(to, changed))
}

/// A value in at most some characters: a list of 1,000 servers need not be read to see that it changes.
fn shorten(value: &Value) -> String {
    const MAX: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}

/// Servers with the same effects.
#[derive(Debug, Clone, PartialEq)]
pub struct ServersWithSameEffects {
    /// Never empty.
    pub effects: Vec<Effect>,
    /// The servers, in order.
    pub servers: Vec<ServerName>,
}

/// Groups servers by identical effects; those without any are left out. Groups that take something away come first,
/// then the largest.
pub fn group_servers_by_effects(
    effects: impl IntoIterator<Item = (ServerName, Vec<Effect>)>,
) -> Vec<ServersWithSameEffects> {
    let mut groups: Vec<ServersWithSameEffects> = Vec::new();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    for (server, effects) in effects {
        if effects.is_empty() {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        effects.iter().for_each(|effect| effect.add_to_hash(&mut hasher));
        let candidates = by_hash.entry(hasher.finish()).or_default();
        match candidates.iter().find(|at| groups[**at].effects == effects) {
            Some(at) => groups[*at].servers.push(server),
            None => {
                candidates.push(groups.len());
                groups.push(ServersWithSameEffects { effects, servers: vec![server] });
            }
        }
    }
    for group in &mut groups {
        group.servers.sort();
    }
    let takes_away = |group: &ServersWithSameEffects| group.effects.iter().any(Effect::is_shown_first);
    groups.sort_by(|one, other| {
        let key =
            |group: &ServersWithSameEffects| (!takes_away(group), std::cmp::Reverse(group.servers.len()));
        key(one).cmp(&key(other)).then_with(|| one.servers.cmp(&other.servers))
    });
    groups
}
