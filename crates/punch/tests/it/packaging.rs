//! Components: made of archetypes, checked, tested, packaged.

use std::fs;

use crate::{
    components::shop,
    world::{World, run},
};

#[test]
fn unknown_archetype_is_refused_with_the_nearest_name() {
    let world = World::new();
    world
        .punch(&["new", "web-servce", "shop"])
        .fails(1, &["no archetype `web-servce`", "did you mean `web-service`?"]);
    world.punch(&["new", "web-service", "Shop"]).fails(1, &["`Shop` is not a name", "lower-case letter"]);
    world.punch(&["new", "web-service", "../etc"]).fails(1, &["is not a name"]);
    world.punch(&["new", "web-service"]).fails(2, &["<NAME>"]);
    world.punch(&["new", "web-service", "shop", "--set", "port"]).fails(2, &["KEY=VALUE"]);
    assert!(!world.path("shop").exists());
}

#[test]
fn new_creates_the_component_in_the_current_folder() {
    let world = World::new();
    fs::create_dir(world.path("shop")).unwrap();
    let ran =
        run(world.command(&["new", "web-service", "shop", "--dir", "."]).current_dir(world.path("shop")));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    world.ok(&["lint", "shop"]);
    world.punch(&["new", "web-service", "web", "--dir", "shop"]).fails(1, &["is not empty", "--dir"]);
    world.write("taken", "");
    world
        .punch(&["new", "web-service", "web", "--dir", "taken"])
        .fails(1, &["`taken` is or lies below a file"]);
    world.punch(&["new", "web-service", "web", "--dir", "taken/web"]).fails(1, &["is or lies below a file"]);
    world.punch(&["new", "web-service", "web", "--dir", "/proc/web"]).fails(1, &["cannot be made", "--dir"]);
    world
        .punch(&["new", "web-service", "web", "--set", "prt=1"])
        .fails(1, &["does not ask `prt`; did you mean `port`?"]);
    let long = "a-name-of-more-letters-than-any-account-can-have";
    world.punch(&["new", "web-service", long]).fails(1, &["launch.user", "at most 32 lower-case letters"]);
    world.punch(&["new", "web-service", "shop-deployment"]).fails(1, &["a component cannot be called"]);
}

#[test]
fn generated_component_passes_lint_and_package() {
    let world = World::new();
    let names = world.ok(&["archetypes", "--json"]).json();
    assert!(names.as_array().unwrap().iter().any(|archetype| archetype["name"] == "web-service"), "{names}");
    let made = world.ok(&["new", "web-service", "shop", "--json"]).json();
    assert_eq!(made["dir"], "shop");
    world.ok(&["lint", "shop"]);
    let packaged = world.ok(&["package", "shop", "--json"]).json();
    for package in ["payload", "deployment"] {
        assert!(world.path(packaged[package].as_str().unwrap()).exists(), "{packaged}");
    }
    world.punch(&["new", "web-service", "shop"]).fails(1, &["is there already"]);
    let merged = world.ok(&["new", "--update", "--dir", "shop"]);
    assert!(merged.stderr.contains("nothing to merge"), "{}", merged.stderr);
    world.punch(&["new", "--update", "--dir", "home"]).fails(1, &["home"]);
}

#[test]
fn archetype_from_a_folder_is_used() {
    let world = World::new();
    world.write(
        "ours/tiny/archetype.yaml",
        "format: geppetto/archetype/1\nname: tiny\nversion: 1\nsummary: The smallest\n",
    );
    world.write(
        "ours/tiny/files/component.yaml.tmpl",
        "format: geppetto/component/1\nname: {{ name }}\nversion: 1.0.0\nkind: os-config\nsummary: Tiny\nlicense: Apache-2.0\n",
    );
    world.write("ours/tiny/files/deploy/manifest.yaml", "format: geppetto/manifest/1\nresources: []\n");
    assert!(world.ok(&["archetypes", "--from", "ours"]).stdout.starts_with("tiny  The smallest"));
    world.ok(&["new", "tiny", "thumb", "--from", "ours"]);
    assert!(world.read("thumb/component.yaml").contains("name: thumb"));
    world.punch(&["new", "huge", "x", "--from", "ours"]).fails(1, &["punch archetypes --from ours"]);
}

#[test]
fn folder_without_component_explains_how_to_create_one() {
    let world = World::new();
    for verb in ["lint", "package", "test"] {
        world.punch(&[verb]).fails(1, &["component.yaml", "punch new ARCHETYPE NAME"]);
    }
    world.punch(&["package", "gone"]).fails(1, &["gone"]);
}

#[test]
fn invalid_component_is_refused_before_the_build() {
    let world = World::new();
    shop(&world, "1.0.0");
    world.ok(&["lint", "shop"]);
    world.write("shop/deploy/templates/shop.conf.j2", "greeting={{ greting }}\n");
    let ran = world.punch(&["lint", "shop", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("greting"), "{}", ran.stdout);
    assert_eq!(ran.json()[0]["severity"], "error");
}

#[test]
fn same_source_gives_same_bytes_and_signing_changes_only_the_signature() {
    let world = World::new();
    shop(&world, "1.0.0");
    world.ok(&["package", "shop", "--out", "one"]);
    world.ok(&["package", "shop", "--out", "two"]);
    let bytes = |folder: &str| fs::read(world.path(folder).join("shop-1.0.0-1.noarch.rpm")).unwrap();
    assert!(bytes("one") == bytes("two"), "two runs gave different packages");
    world.ok(&["package", "shop", "--out", "three", "--source-date", "5"]);
    assert!(bytes("one") != bytes("three"), "the date asked for is not in the package");
}

#[test]
fn failed_build_makes_no_package() {
    let world = World::new();
    shop(&world, "1.0.0");
    let text = world.read("shop/component.yaml");
    world.write(
        "shop/component.yaml",
        &format!("{text}build: [sh, -c, \"echo broken pipe organ; exit 3\"]\n"),
    );
    world.punch(&["package", "shop"]).fails(1, &["the build command", "3", "broken pipe organ"]);
    assert!(!world.path("dist").exists() || fs::read_dir(world.path("dist")).unwrap().count() == 0);
    world.ok(&["package", "shop", "--no-build"]);
}

#[test]
fn component_without_a_test_is_reported() {
    let world = World::new();
    shop(&world, "1.0.0");
    assert!(world.ok(&["test", "shop"]).stdout.contains("has no test"));
}
