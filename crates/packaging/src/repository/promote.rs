//! Promotion: a component version, and what it needs, moves on to the next channel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::{Catalog, CatalogVersion as Versioned},
    name::Name,
    version::{Version, VersionRange},
    wire::PublicationResult,
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
    ) -> Result<PublicationResult> {
        // What is read now need not be read while others wait: under the lock only what is newer is.
        self.catalog()?;
        let _lock = self.lock()?;
        self.load_existing_channel(from)?;
        self.load_existing_channel(to)?;
        self.check_promotion_order(from, to)?;
        let catalog = self.catalog()?;
        let root = catalog
            .versions(from, name)
            .iter()
            .rev()
            .find(|there| there.matches(version))
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

/// More rounds of better choices than any real requirements need.
const ROUNDS: usize = 1000;

/// `root` and everything it requires, directly or not, each in one version that suits all who require it.
fn closure(catalog: &Catalog, root: &Arc<Versioned>, from: &Name, to: &Name) -> Result<Vec<Arc<Versioned>>> {
    let mut chosen = BTreeMap::from([(root.component.name.clone(), Arc::clone(root))]);
    let mut rounds = 0;
    let missing: BTreeSet<String> = loop {
        // Only what the choices of now require counts: the requirements of a replaced choice no longer apply.
        let reached = reachable(&root.component.name, &chosen);
        let mut better = BTreeMap::new();
        let mut lacking = BTreeSet::new();
        for (required, wishes) in requirements_of(&reached) {
            let ranges: Vec<&VersionRange> = wishes.iter().map(|(_, range)| *range).collect();
            let there = chosen.get(required);
            if there.is_some_and(|there| satisfies(there, &ranges)) {
                continue;
            }
            let best = catalog
                .newest_matching(to, required, &ranges)
                .or_else(|| catalog.newest_matching(from, required, &ranges));
            match best {
                Some(best) if *required != root.component.name => {
                    better.insert(required.clone(), Arc::clone(best));
                }
                _ => {
                    let unmet = wishes
                        .iter()
                        .filter(|(_, range)| !there.is_some_and(|there| satisfies(there, &[*range])));
                    lacking.extend(
                        unmet.map(|(requirer, range)| lack(catalog, requirer, required, range, from, to)),
                    );
                }
            }
        }
        if better.is_empty() && lacking.is_empty() {
            return Ok(reached);
        }
        if better.is_empty() {
            break lacking;
        }
        rounds += 1;
        if rounds > ROUNDS {
            break BTreeSet::from(["its requirements contradict each other in a circle".to_owned()]);
        }
        chosen.extend(better);
    };
    Err(RepositoryError::Incomplete {
        root: format!("{} {}", root.component.name, root.component.version),
        from: from.clone(),
        to: to.clone(),
        missing: missing.into_iter().collect::<Vec<_>>().join("; "),
    })
}

/// Each component that some of `chosen` require, with who does and how.
fn requirements_of(chosen: &[Arc<Versioned>]) -> BTreeMap<&Name, Vec<(&Versioned, &VersionRange)>> {
    let mut wishes: BTreeMap<&Name, Vec<(&Versioned, &VersionRange)>> = BTreeMap::new();
    for published in chosen {
        for (required, range) in &published.component.requires {
            wishes.entry(required).or_default().push((published, range));
        }
    }
    wishes
}

fn satisfies(published: &Versioned, ranges: &[&VersionRange]) -> bool {
    ranges.iter().all(|range| range.contains(&published.component.version))
}

/// The chosen versions that `root` requires, directly or not, and itself.
fn reachable(root: &Name, chosen: &BTreeMap<Name, Arc<Versioned>>) -> Vec<Arc<Versioned>> {
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    let mut reached = Vec::new();
    while let Some(name) = open.pop() {
        if let Some(published) = chosen.get(name) {
            open.extend(published.component.requires.keys().filter(|required| seen.insert(required)));
            reached.push(Arc::clone(published));
        }
    }
    reached
}

fn lack(
    catalog: &Catalog,
    requirer: &Versioned,
    required: &Name,
    range: &VersionRange,
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
