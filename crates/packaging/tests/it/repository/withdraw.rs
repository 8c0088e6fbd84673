//! A version leaves one channel, unless somebody there needs it.

use std::collections::BTreeSet;

use packaging::repository::RepositoryError;

use super::{
    TestRepository,
    dnf::{dnf, file_url},
    name, tree, visible,
};
use crate::{
    skip::has_tool,
    tools::{NOON, run},
};

fn withdraw(test: &TestRepository, component: &str, version: &str) -> Result<Vec<String>, String> {
    test.repository
        .withdraw_version(
            &name(component),
            &version.parse().unwrap(),
            &name("dev"),
            |_| Ok::<(), RepositoryError>(()),
            NOON,
        )
        .map(|withdrawn| withdrawn.files)
        .map_err(|error| error.to_string())
}

/// Both versions of `shop` in both channels; returns the files of the older and of the newer one.
fn two_versions_in_both_channels(test: &TestRepository) -> [Vec<String>; 2] {
    ["1.0", "2.0"].map(|version| {
        let files = test.component("shop", version, &[]);
        test.publish("dev", &files);
        test.publish("prod", &files);
        files
    })
}

#[test]
fn withdrawn_version_leaves_one_channel_and_stays_in_the_other() {
    let test = TestRepository::new();
    let [old, new] = two_versions_in_both_channels(&test);
    let serial = test.repository.sum_of_channel_generations().unwrap();
    assert_eq!(withdraw(&test, "shop", "2.0").unwrap(), new);
    assert_eq!(test.repository.sum_of_channel_generations().unwrap(), serial + 1);
    assert_eq!(visible(&test, "dev"), old);
    assert_eq!(visible(&test, "prod").len(), 4);
    let catalog = test.repository.read_catalog().unwrap();
    assert_eq!(
        catalog.component_versions_in_channel(&name("dev"), &name("shop")),
        ["1.0-1".parse().unwrap()]
    );
    assert_eq!(catalog.component_versions_in_channel(&name("prod"), &name("shop")).len(), 2);
    assert_eq!(test.repository.check_repository().unwrap(), []);
    // The last version too; the channel is empty then, and not gone.
    assert_eq!(withdraw(&test, "shop", "1.0-1").unwrap(), old);
    assert_eq!(visible(&test, "dev"), Vec::<String>::new());
    // What was withdrawn can be published again.
    assert_eq!(test.publish("dev", &new).added, new);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn dnf_finds_a_withdrawn_version_only_in_the_other_channel() {
    if !has_tool("dnf") {
        return;
    }
    let test = TestRepository::new();
    two_versions_in_both_channels(&test);
    withdraw(&test, "shop", "2.0").unwrap();
    let shops = |channel: &str| {
        let url = file_url(&test.channel(channel));
        let listed = run(dnf(&test, &url).args(["--refresh", "repoquery", "--quiet", "shop"]));
        // The first call also says which keys it imports.
        let packages = listed.lines().filter(|line| line.starts_with("shop-"));
        let mut lines: Vec<String> = packages.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(shops("dev"), ["shop-0:1.0-1.noarch"]);
    assert_eq!(shops("prod"), ["shop-0:1.0-1.noarch", "shop-0:2.0-1.noarch"]);
}

#[test]
fn withdrawn_packages_stay_for_readers_for_an_hour_and_in_the_pool_until_a_retention() {
    let test = TestRepository::new();
    let old = test.component("shop", "1.0", &[]);
    let new = test.component("shop", "2.0", &[]);
    test.publish("dev", &[old, new.clone()].concat());
    let before = tree(&test.channel("dev").join("repodata"));
    withdraw(&test, "shop", "2.0").unwrap();
    let after = tree(&test.channel("dev").join("repodata"));
    assert!(before.iter().all(|file| after.contains(file)), "{before:?} {after:?}");
    let links = || tree(&test.channel("dev").join("packages"));
    assert_eq!(links().len(), 4);
    assert_eq!(tree(&test.root().join("pool")).len(), 4);
    let retained =
        test.repository.remove_unneeded_versions_from_every_channel(&BTreeSet::new(), 9, u32::MAX).unwrap();
    assert_eq!(BTreeSet::from_iter(retained.files), BTreeSet::from_iter(new));
    assert_eq!(links().len(), 2);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn withdrawal_of_a_required_version_is_refused_naming_who_requires_it() {
    let test = TestRepository::new();
    for (component, version, requires) in [
        ("base", "1.0", &[][..]),
        ("base", "2.0", &[]),
        ("lib", "1.0", &[("base", "<2")]),
        ("shop", "1.0", &[("base", "*")]),
        ("shop", "2.0", &[("base", "<1.5")]),
    ] {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    let shown = visible(&test, "dev");
    assert_eq!(
        withdraw(&test, "base", "1.0").unwrap_err(),
        "`base 1.0-1` cannot be withdrawn from `dev`: `lib 1.0-1` requires `base <2`, `shop 2.0-1` requires `base <1.5`, and no other version in `dev` fits; withdraw `lib 1.0-1` and `shop 2.0-1` first"
    );
    assert_eq!(visible(&test, "dev"), shown);
    // Those first, and then it goes: shop 1.0 finds base 2.0.
    for (component, version) in [("lib", "1.0"), ("shop", "2.0"), ("base", "1.0")] {
        withdraw(&test, component, version).unwrap();
    }
    assert_eq!(
        withdraw(&test, "base", "2.0").unwrap_err(),
        "`base 2.0-1` cannot be withdrawn from `dev`: `shop 1.0-1` requires `base *`, and no other version in `dev` fits; withdraw `shop 1.0-1` first"
    );
}

#[test]
fn required_version_can_be_withdrawn_where_another_one_fits() {
    let test = TestRepository::new();
    for (component, version, requires) in
        [("base", "1.0", &[][..]), ("base", "1.1", &[]), ("shop", "1.0", &[("base", ">=1")])]
    {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    assert_eq!(withdraw(&test, "base", "1.1").unwrap().len(), 2);
}

#[test]
fn withdrawal_of_an_unknown_version_or_channel_is_refused_naming_the_known_ones() {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("dev", &files);
    test.publish("prod", &test.component("cart", "1.0", &[]));
    assert_eq!(
        withdraw(&test, "shop", "1.2").unwrap_err(),
        "channel `dev` has no version `1.2` of `shop` (it has 1.0-1)"
    );
    assert_eq!(
        withdraw(&test, "shp", "1.0").unwrap_err(),
        "channel `dev` has no version `1.0` of `shp` (no channel has that component; did you mean `shop`?)"
    );
    assert_eq!(
        withdraw(&test, "cart", "1.0").unwrap_err(),
        "channel `dev` has no version `1.0` of `cart` (it has none of its versions; other channels do)"
    );
    let withdrawn = test.repository.withdraw_version(
        &name("shop"),
        &"1.0".parse().unwrap(),
        &name("prodd"),
        |_| Ok::<(), RepositoryError>(()),
        NOON,
    );
    assert!(withdrawn.unwrap_err().to_string().contains("did you mean `prod`?"));
}

#[test]
fn withdrawal_refused_by_the_caller_changes_nothing() {
    #[derive(Debug)]
    struct Refused;
    impl From<RepositoryError> for Refused {
        fn from(error: RepositoryError) -> Self {
            panic!("{error}")
        }
    }
    let test = TestRepository::new();
    let [_, new] = two_versions_in_both_channels(&test);
    let refuse = |catalog: &model::catalog::ComponentCatalog| {
        assert_eq!(
            catalog.component_versions_in_channel(&name("dev"), &name("shop")),
            ["1.0-1".parse().unwrap()]
        );
        Err(Refused)
    };
    let before = tree(&test.root());
    let version = "2.0".parse().unwrap();
    assert!(test.repository.withdraw_version(&name("shop"), &version, &name("dev"), refuse, NOON).is_err());
    assert_eq!(tree(&test.root()), before);
    assert!(visible(&test, "dev").contains(&new[0]));
}
