//! What is reached includes every server whose node changes, with selections of other servers in the estates.

use std::collections::BTreeSet;

use model::{
    format::estate::EstateYamlByPath,
    name::ServerName,
    node::NodeContentDigest,
    resolve::{ChangedResolutionInputs, Resolver},
};
use proptest::{collection, prelude::*, sample};

use crate::{
    change::recorded,
    naive::{Published, Scene, documents, scene},
};

/// The servers of the second scene whose node is another than in the first, or which can be resolved in one only.
fn changed(before: &Scene, after: &Scene) -> BTreeSet<ServerName> {
    let digests = |scene: &Scene| -> Vec<(ServerName, Option<NodeContentDigest>)> {
        let (estate, catalog) = (scene.estate(), scene.catalog());
        let resolver = Resolver::new(&estate, &catalog);
        let servers = estate.servers.keys();
        servers
            .map(|name| (name.clone(), resolver.resolve_server(name).ok().map(|found| found.digest)))
            .collect()
    };
    let before = digests(before);
    let same = |server: &(ServerName, Option<NodeContentDigest>)| before.contains(server);
    digests(after).into_iter().filter(|server| !same(server)).map(|(name, _)| name).collect()
}

fn reached(before: &Scene, after: &Scene) -> BTreeSet<ServerName> {
    let (old, new) = (before.estate(), after.estate());
    let recorded = recorded(&old, &before.catalog());
    let mut reached =
        recorded.find_servers_reached_by_change(&ChangedResolutionInputs::diff_estates(&old, &new), &new);
    let changed = ChangedResolutionInputs::diff_catalogs(&before.catalog(), &after.catalog());
    reached.extend(recorded.find_servers_reached_by_change(&changed, &new));
    reached
}

/// Estates in which most servers select others, and everything that a selection depends on can change.
fn selecting() -> impl Strategy<Value = Scene> {
    let published = [
        "{name: a, version: 1-1, kind: os-config, summary: S., parameters: {n: {type: integer, description: N., default: 1}}}",
        "{name: a, version: 2-1, kind: os-config, summary: S., requires: {c: \"*\"}, \
          parameters: {n: {type: integer, description: N., default: 2}}}",
        "{name: c, version: 1-1, kind: os-config, summary: S.}",
        "{name: lb, version: 1-1, kind: os-config, summary: S., \
          parameters: {peers: {type: servers, description: P., reads: [a.n]}}}",
    ];
    selecting_documents().prop_map(move |documents| Scene {
        documents,
        published: published.into_iter().map(Published::new).collect(),
    })
}

fn selecting_documents() -> impl Strategy<Value = EstateYamlByPath> {
    let says = || {
        let said = vec![
            "",
            "components: {a: \"*\"}",
            "components: {a: \"1\"}",
            "values: {a: {n: 3}}",
            "remove: [a]",
        ];
        prop_oneof![2 => Just(""), 3 => sample::select(said)]
    };
    let list = |names: &'static [&'static str]| {
        sample::subsequence(names, 0..=names.len()).prop_map(|names| names.join(", "))
    };
    let role = |at: usize, parents| {
        (list(parents), says()).prop_map(move |(parents, says)| {
            (format!("roles/r{at}.yaml"), format!("format: geppetto/role/1\ninherits: [{parents}]\n{says}\n"))
        })
    };
    let group = |at: usize| {
        says().prop_map(move |says| {
            (format!("groups/g{at}.yaml"), format!("format: geppetto/group/1\n{says}\n"))
        })
    };
    let environment = |at: usize| {
        (prop::bool::weighted(0.9), says()).prop_map(move |(is_readable, says)| {
            let readable = if is_readable { "[e0, e1]" } else { "[]" };
            let text =
                format!("format: geppetto/environment/1\nchannel: c0\nreadable_from: {readable}\n{says}\n");
            (format!("environments/e{at}.yaml"), text)
        })
    };
    let server = |at: usize| {
        let selections = [
            "role: r0",
            "role: r2",
            "group: g0",
            "component: a",
            "component: c",
            "component: a, group: g1",
            "role: r1, environment: e1",
            "component: c, environment: e0",
        ];
        let selection = prop_oneof![1 => Just(""), 2 => sample::select(selections.to_vec())];
        let lists = (list(&["g0", "g1"]), list(&["r0", "r1", "r2"]));
        let about = sample::select(vec!["", "labels: {rack: a7}\n", "addresses: [10.0.0.1]\n"]);
        (0..2usize, lists, about, selection).prop_map(move |(environment, (groups, roles), about, selection)| {
            let selects = match selection {
                "" => String::new(),
                some => format!("components: {{lb: \"*\"}}\nvalues: {{lb: {{peers: {{{some}}}}}}}\n"),
            };
            let text = format!(
                "format: geppetto/server/2\nenvironment: e{environment}\ngroups: [{groups}]\nroles: [{roles}]\n\
                 {about}{selects}"
            );
            (format!("servers/s{at}.yaml"), text)
        })
    };
    let roles = (role(0, &["r1", "r2"][..]), role(1, &["r2"][..]), role(2, &[][..]));
    let others = (group(0), group(1), environment(0), environment(1));
    let servers = [server(0), server(1), server(2), server(3)];
    (roles, others, servers).prop_map(|(roles, others, servers)| {
        let documents = [roles.0, roles.1, roles.2, others.0, others.1, others.2, others.3];
        documents.into_iter().chain(servers).collect()
    })
}

/// Some files as they are in an edit, or gone if they are not in it.
fn edited(before: &Scene, edit: &EstateYamlByPath, edited: &[sample::Index]) -> Scene {
    let mut after = before.clone();
    let paths: BTreeSet<&String> = before.documents.keys().chain(edit.keys()).collect();
    let paths: Vec<&String> = paths.into_iter().collect();
    for path in edited.iter().map(|at| at.get(&paths)) {
        match edit.get(*path) {
            Some(text) => after.documents.insert((*path).clone(), text.clone()),
            None => after.documents.remove(*path),
        };
    }
    after
}

/// Some versions put into a channel or taken out of it, or published again with other bytes.
fn published(before: &Scene, edited: &[(sample::Index, usize)]) -> Scene {
    let mut after = before.clone();
    for (at, what) in edited {
        let version = at.get_mut(&mut after.published);
        match version.channels.get_mut(*what) {
            Some(is_in) => *is_in = !*is_in,
            None => version.bytes += 1,
        }
    }
    after
}

fn check_reached(before: &Scene, after: &Scene) -> Result<(), TestCaseError> {
    let (changed, reached) = (changed(before, after), reached(before, after));
    prop_assert!(changed.is_subset(&reached), "{:?} changed, {:?} reached", changed, reached);
    Ok(())
}

fn some_files() -> impl Strategy<Value = Vec<sample::Index>> {
    collection::vec(any::<sample::Index>(), 1..4)
}

fn some_versions() -> impl Strategy<Value = Vec<(sample::Index, usize)>> {
    collection::vec((any::<sample::Index>(), 0..3usize), 1..3)
}

proptest! {
    #[test]
    fn edit_of_an_estate_reaches_every_server_whose_content_changes(
        before in scene(), edit in documents(), files in some_files(),
    ) {
        check_reached(&before, &edited(&before, &edit, &files))?;
    }

    #[test]
    fn publication_and_withdrawal_reach_every_server_whose_content_changes(
        before in scene(), versions in some_versions(),
    ) {
        check_reached(&before, &published(&before, &versions))?;
    }

    #[test]
    fn edit_of_an_estate_full_of_selections_reaches_every_server_whose_content_changes(
        before in selecting(), edit in selecting_documents(), files in some_files(),
    ) {
        check_reached(&before, &edited(&before, &edit, &files))?;
    }

    #[test]
    fn publication_and_withdrawal_reach_every_server_that_selects_one_whose_content_changes(
        before in selecting(), versions in some_versions(),
    ) {
        check_reached(&before, &published(&before, &versions))?;
    }
}
