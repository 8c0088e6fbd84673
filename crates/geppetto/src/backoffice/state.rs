//! The estate as it is stored: texts and origins become an estate again.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    estate::{Estate, Origin, Says},
    format::estate::{self, Documents},
    name::{Key, Name},
};

use super::{Office, OfficeError};
use crate::store::ObjectText;

/// The estate in one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The revision; 0 before the first.
    pub revision: u64,
    /// What it says.
    pub estate: Estate,
    /// The canonical texts it was read from.
    pub documents: Documents,
}

/// Who said each value of one object.
type Origins = BTreeMap<Name, BTreeMap<Key, Origin>>;

impl Office {
    /// The estate in the newest revision. Read from the database once for each revision.
    pub async fn state(&self) -> Result<Arc<State>, OfficeError> {
        let revision = self.store.current_revision().await?;
        if let Some(state) = self.cached_state(revision) {
            return Ok(state);
        }
        let state = Arc::new(self.state_of(revision).await?);
        *self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Arc::clone(&state));
        Ok(state)
    }

    fn cached_state(&self, revision: u64) -> Option<Arc<State>> {
        let cached = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        cached.clone().filter(|state| state.revision == revision)
    }

    /// The estate in any revision.
    pub async fn state_of(&self, revision: u64) -> Result<State, OfficeError> {
        let newest = self.store.current_revision().await?;
        if revision > newest {
            return Err(OfficeError::Unknown {
                what: "revision",
                name: revision.to_string(),
                nearest: (newest > 0).then(|| newest.to_string()),
                list: "nothing was imported yet (`geppetto import DIR`)",
            });
        }
        let objects = self.store.objects(revision).await?;
        read(revision, objects)
    }
}

fn read(revision: u64, objects: BTreeMap<String, ObjectText>) -> Result<State, OfficeError> {
    let documents: Documents =
        objects.iter().map(|(path, object)| (path.clone(), object.text.clone())).collect();
    let broken = |why: String| {
        OfficeError::Broken(format!(
            "revision {revision} cannot be read back by this version of geppetto: {why}"
        ))
    };
    let mut estate = estate::read(&documents)
        .map_err(|errors| broken(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    for (path, says) in everything(&mut estate) {
        let Some(object) = objects.get(&path) else { continue };
        let origins: Origins =
            serde_json::from_str(&object.origins).map_err(|error| broken(format!("{path}: {error}")))?;
        for (component, values) in &mut says.values {
            for (key, said) in values {
                said.origin = origins.get(component).and_then(|keys| keys.get(key)).cloned();
            }
        }
    }
    Ok(State { revision, estate, documents })
}

/// The origins of each object's values, as they are stored, by path.
pub(super) fn origins(estate: &mut Estate) -> BTreeMap<String, String> {
    everything(estate)
        .map(|(path, says)| {
            let mut origins = Origins::new();
            for (component, values) in &says.values {
                for (key, said) in values {
                    if let Some(origin) = &said.origin {
                        origins.entry(component.clone()).or_default().insert(key.clone(), origin.clone());
                    }
                }
            }
            // Maps of texts and numbers always have a JSON form.
            (path, serde_json::to_string(&origins).unwrap_or_default())
        })
        .collect()
}

/// All objects of an estate, by path, with what they say.
pub(super) fn everything(estate: &mut Estate) -> impl Iterator<Item = (String, &mut Says)> {
    let Estate { roles, groups, environments, servers } = estate;
    let roles = roles.iter_mut().map(|(name, role)| (format!("roles/{name}.yaml"), &mut role.says));
    let groups = groups.iter_mut().map(|(name, group)| (format!("groups/{name}.yaml"), &mut group.says));
    let environments = environments
        .iter_mut()
        .map(|(name, environment)| (format!("environments/{name}.yaml"), &mut environment.says));
    let servers = servers.iter_mut().map(|(name, server)| (format!("servers/{name}.yaml"), &mut server.says));
    roles.chain(groups).chain(environments).chain(servers)
}
