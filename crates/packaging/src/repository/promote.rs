//! Promotion: a component version, and what it needs, moves on to the next channel.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use model::{
    catalog::{Catalog, Published as Versioned},
    name::Name,
    version::{Range, Version},
    wire::Published,
};

use super::{Repository, RepositoryError, Result};

impl Repository {
    /// Makes the newest `version` of `name` in channel `from` (a version without release names all its
    /// releases) visible in channel `to` too: both its packages, and those of the components it requires,
    /// where `to` has none that fit. Refuses, naming what is missing, if `from` does not have them.
    pub fn promote(
        &self,
        name: &Name,
        version: &Version,
        from: &Name,
        to: &Name,
        now: u32,
    ) -> Result<Published> {
        let _lock = self.lock()?;
        self.existing_channel(from)?;
        let catalog = self.catalog()?;
        let root = catalog
            .versions(from, name)
            .iter()
            .rev()
            .find(|there| there.is(version))
            .and_then(|there| catalog.components.get(name)?.get(there))
            .ok_or_else(|| no_version(&catalog, from, name, version))?;
        let chosen = closure(&catalog, root, from, to)?;
        let files: BTreeSet<String> = chosen
            .iter()
            .flat_map(|published| [published.payload.file.clone(), published.deployment.file.clone()])
            .collect();
        let files: Vec<String> = files.into_iter().collect();
        self.publish_locked(to, &files, now)
    }
}

fn no_version(catalog: &Catalog, channel: &Name, name: &Name, version: &Version) -> RepositoryError {
    let versions: Vec<String> = catalog.versions(channel, name).iter().map(Version::to_string).collect();
    let known = match (versions.as_slice(), catalog.components.contains_key(name)) {
        ([], true) => "it has none of its versions; other channels do".to_owned(),
        ([], false) => {
            let names = catalog.components.keys().map(Name::as_str);
            match model::nearest(name.as_str(), names) {
                Some(near) => format!("no channel has that component; did you mean `{near}`?"),
                None => "no channel has that component".to_owned(),
            }
        }
        (versions, _) => format!("it has {}", versions.join(", ")),
    };
    RepositoryError::NoVersion {
        channel: channel.clone(),
        name: name.clone(),
        version: version.to_string(),
        known,
    }
}

/// `root` and everything it requires, directly or not, each in one version that suits all who require it.
fn closure(catalog: &Catalog, root: &Arc<Versioned>, from: &Name, to: &Name) -> Result<Vec<Arc<Versioned>>> {
    let mut chosen = BTreeMap::from([(root.component.name.clone(), Arc::clone(root))]);
    // Who requires what: a choice that is replaced by another takes its requirements back.
    let mut ranges: BTreeMap<Name, BTreeMap<Name, Range>> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    let mut open = VecDeque::from([root.component.name.clone()]);
    let mut steps = 0;
    while let Some(name) = open.pop_front() {
        let Some(published) = chosen.get(&name).cloned() else { continue };
        steps += 1;
        if steps > 10_000 {
            missing.insert("its requirements contradict each other in a circle".to_owned());
            break;
        }
        for (required, range) in &published.component.requires {
            let wishes = ranges.entry(required.clone()).or_default();
            wishes.insert(name.clone(), range.clone());
            let wishes: Vec<&Range> = wishes.values().collect();
            let suits = |published: &Arc<Versioned>| {
                wishes.iter().all(|range| range.contains(&published.component.version))
            };
            if chosen.get(required).is_some_and(suits) {
                continue;
            }
            let best =
                catalog.settle(to, required, &wishes).or_else(|| catalog.settle(from, required, &wishes));
            match best {
                Some(best) if *required != root.component.name => {
                    chosen.insert(required.clone(), Arc::clone(best));
                    open.push_back(required.clone());
                }
                _ => {
                    missing.insert(lack(catalog, &published, required, range, from, to));
                }
            }
        }
    }
    if missing.is_empty() {
        return Ok(reachable(&root.component.name, chosen));
    }
    Err(RepositoryError::Incomplete {
        root: format!("{} {}", root.component.name, root.component.version),
        from: from.clone(),
        to: to.clone(),
        missing: missing.into_iter().collect::<Vec<_>>().join("; "),
    })
}

/// The chosen versions without those that only a replaced choice had required.
fn reachable(root: &Name, mut chosen: BTreeMap<Name, Arc<Versioned>>) -> Vec<Arc<Versioned>> {
    let mut reached = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(name) = open.pop() {
        if let Some(published) = chosen.remove(&name) {
            open.extend(published.component.requires.keys().cloned());
            reached.push(published);
        }
    }
    reached
}

fn lack(
    catalog: &Catalog,
    requirer: &Versioned,
    required: &Name,
    range: &Range,
    from: &Name,
    to: &Name,
) -> String {
    let has = |channel: &Name| {
        let versions: Vec<String> =
            catalog.versions(channel, required).iter().map(Version::to_string).collect();
        if versions.is_empty() {
            format!("`{channel}` has none")
        } else {
            format!("`{channel}` has {}", versions.join(", "))
        }
    };
    format!(
        "`{} {}` requires `{required} {range}`, but {} and {}",
        requirer.component.name,
        requirer.component.version,
        has(from),
        has(to)
    )
}
