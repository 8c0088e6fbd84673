//! What is reached includes every server whose node changes, with selections of other servers in the estates.

use std::collections::BTreeSet;

use model::{
    name::ServerName,
    node::ContentDigest,
    resolve::{ChangedInputs, Resolver},
};
use proptest::{collection, prelude::*, sample};

use crate::{
    change::recorded,
    naive::{Scene, documents, scene},
};

/// The servers of the second scene whose node is another than in the first, or which can be resolved in one only.
fn changed(before: &Scene, after: &Scene) -> BTreeSet<ServerName> {
    let digests = |scene: &Scene| -> Vec<(ServerName, Option<ContentDigest>)> {
        let (estate, catalog) = (scene.estate(), scene.catalog());
        let resolver = Resolver::new(&estate, &catalog);
        let servers = estate.servers.keys();
        servers.map(|name| (name.clone(), resolver.resolve(name).ok().map(|found| found.digest))).collect()
    };
    let before = digests(before);
    let same = |server: &(ServerName, Option<ContentDigest>)| before.contains(server);
    digests(after).into_iter().filter(|server| !same(server)).map(|(name, _)| name).collect()
}

fn reached(before: &Scene, after: &Scene) -> BTreeSet<ServerName> {
    let (old, new) = (before.estate(), after.estate());
    let recorded = recorded(&old, &before.catalog());
    let mut reached = recorded.reached(&ChangedInputs::between_estates(&old, &new), &new);
    let changed = ChangedInputs::between_catalogs(&before.catalog(), &after.catalog());
    reached.extend(recorded.reached(&changed, &new));
    reached
}

proptest! {
    #[test]
    fn edit_of_an_estate_reaches_every_server_whose_content_changes(
        before in scene(),
        edit in documents(),
        edited in collection::vec(any::<sample::Index>(), 1..4),
    ) {
        let mut after = before.clone();
        let paths: BTreeSet<&String> = before.documents.keys().chain(edit.keys()).collect();
        let paths: Vec<&String> = paths.into_iter().collect();
        for path in edited.iter().map(|at| at.get(&paths)) {
            match edit.get(*path) {
                Some(text) => after.documents.insert((*path).clone(), text.clone()),
                None => after.documents.remove(*path),
            };
        }
        let (changed, reached) = (changed(&before, &after), reached(&before, &after));
        prop_assert!(changed.is_subset(&reached), "{:?} changed, {:?} reached", changed, reached);
    }

    #[test]
    fn publication_and_withdrawal_reach_every_server_whose_content_changes(
        before in scene(),
        edited in collection::vec((any::<sample::Index>(), 0..3usize), 1..3),
    ) {
        let mut after = before.clone();
        for (at, what) in edited {
            let version = at.get_mut(&mut after.published);
            match what {
                2 => version.bytes += 1,
                channel => version.channels[channel] = !version.channels[channel],
            }
        }
        let (changed, reached) = (changed(&before, &after), reached(&before, &after));
        prop_assert!(changed.is_subset(&reached), "{:?} changed, {:?} reached", changed, reached);
    }
}
