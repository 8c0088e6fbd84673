//! A version moves on with what it needs, or not at all.

use super::{TestRepository, name, visible};
use crate::tools::NOON;

fn promote(test: &TestRepository, component: &str, version: &str) -> Result<Vec<String>, String> {
    test.repository
        .promote_version_with_required_components(
            &name(component),
            &version.parse().unwrap(),
            &name("dev"),
            &name("prod"),
            |_| Ok::<(), packaging::repository::RepositoryError>(()),
            NOON,
        )
        .map(|published| published.added)
        .map_err(|error| error.to_string())
}

#[test]
fn promotion_includes_both_packages_and_all_requirements() {
    let test = TestRepository::new();
    for (component, version, requires) in [
        ("base", "1.2", &[][..]),
        ("base", "1.9", &[]),
        ("base", "2.0", &[]),
        ("lib", "3.0", &[("base", ">=1.2")]),
        ("shop", "1.0", &[("lib", "*"), ("base", "<2")]),
    ] {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    assert_eq!(
        promote(&test, "shop", "1.0").unwrap(),
        [
            // Not 2.0, which lib alone would get: one version that suits both.
            "base-1.9-1.noarch.rpm",
            "base-deployment-1.9-1.noarch.rpm",
            "lib-3.0-1.noarch.rpm",
            "lib-deployment-3.0-1.noarch.rpm",
            "shop-1.0-1.noarch.rpm",
            "shop-deployment-1.0-1.noarch.rpm",
        ]
    );
    assert_eq!(visible(&test, "prod").len(), 6);
    assert_eq!(promote(&test, "shop", "1.0").unwrap(), Vec::<String>::new());
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn promotion_prefers_versions_already_in_the_target_channel() {
    let test = TestRepository::new();
    let old = test.component("base", "1.2", &[]);
    test.publish("dev", &old);
    test.publish("prod", &old);
    for (component, version, requires) in
        [("base", "1.9", &[][..]), ("shop", "1.0", &[("base", ">=1.2, <2")])]
    {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    let added = promote(&test, "shop", "1.0-1").unwrap();
    assert_eq!(added, ["shop-1.0-1.noarch.rpm", "shop-deployment-1.0-1.noarch.rpm"]);
}

#[test]
fn requirements_of_a_replaced_choice_no_longer_apply() {
    let test = TestRepository::new();
    for (component, version, requires) in [
        ("base", "1.0", &[][..]),
        ("base", "2.0", &[]),
        ("lib", "1.0", &[]),
        // Chosen first, replaced because of `plug`: neither what it wishes nor what it lacks counts then.
        ("lib", "2.0", &[("base", "<2"), ("gone", "*")]),
        ("plug", "1.0", &[("lib", "<2"), ("base", ">=2")]),
        ("shop", "1.0", &[("lib", "*"), ("plug", "*")]),
    ] {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    let added = promote(&test, "shop", "1.0").unwrap();
    let payloads: Vec<&str> = added
        .iter()
        .filter(|file| !file.contains("-deployment-"))
        .map(|file| file.strip_suffix("-1.noarch.rpm").unwrap())
        .collect();
    assert_eq!(payloads, ["base-2.0", "lib-1.0", "plug-1.0", "shop-1.0"]);
}

#[test]
fn promotion_with_unmet_requirements_is_refused_naming_them() {
    let test = TestRepository::new();
    for (component, version, requires) in [
        ("base", "1.0", &[][..]),
        ("lib", "1.0", &[("gone", "*")]),
        ("shop", "1.0", &[("base", ">=2"), ("lib", "*")]),
    ] {
        let files = test.component(component, version, requires);
        test.publish("dev", &files);
    }
    let base = test.component("base", "0.9", &[]);
    test.publish("prod", &base);
    assert_eq!(
        promote(&test, "shop", "1.0").unwrap_err(),
        "`shop 1.0-1` cannot be promoted from `dev` to `prod`: `lib 1.0-1` requires `gone *`, but `dev` has none and `prod` has none; `shop 1.0-1` requires `base >=2`, but `dev` has 1.0-1 and `prod` has 0.9-1"
    );
    assert_eq!(visible(&test, "prod"), base);
}

#[test]
fn promotion_of_an_unknown_version_names_the_known_ones() {
    let test = TestRepository::new();
    for version in ["1.0", "1.1"] {
        let files = test.component("shop", version, &[]);
        test.publish("dev", &files);
    }
    assert_eq!(
        promote(&test, "shop", "1.2").unwrap_err(),
        "channel `dev` has no version `1.2` of `shop` (it has 1.0-1, 1.1-1)"
    );
    assert_eq!(
        promote(&test, "shp", "1.0").unwrap_err(),
        "channel `dev` has no version `1.0` of `shp` (no channel has that component; did you mean `shop`?)"
    );
}
