//! Components: made of archetypes, checked, tested, packaged.

use std::fs;

use crate::{
    components::shop,
    test_folder::{TestFolder, run},
};

#[test]
fn unknown_archetype_is_refused_with_the_nearest_name() {
    let test = TestFolder::new();
    test.punch(&["new", "web-servce", "shop"])
        .fails(1, &["no archetype `web-servce`", "did you mean `web-service`? (`punch archetypes`"]);
    test.punch(&["new", "web-service", "Shop"]).fails(1, &["`Shop` is not a name", "lower-case letter"]);
    test.punch(&["new", "web-service", "../etc"]).fails(1, &["is not a name"]);
    test.punch(&["new", "web-service"]).fails(2, &["<NAME>"]);
    test.punch(&["new", "web-service", "shop", "--set", "port"]).fails(2, &["KEY=VALUE"]);
    assert!(!test.path("shop").exists());
}

#[test]
fn new_creates_the_component_in_the_current_folder() {
    let test = TestFolder::new();
    fs::create_dir(test.path("shop")).unwrap();
    let output =
        run(test.command(&["new", "web-service", "shop", "--dir", "."]).current_dir(test.path("shop")));
    assert_eq!(output.code, 0, "{}", output.stderr);
    test.ok(&["lint", "shop"]);
    test.punch(&["new", "web-service", "web", "--dir", "shop"]).fails(1, &["is not empty", "--dir"]);
    test.write("taken", "");
    test.punch(&["new", "web-service", "web", "--dir", "taken"])
        .fails(1, &["`taken` is or lies below a file"]);
    test.punch(&["new", "web-service", "web", "--dir", "taken/web"]).fails(1, &["is or lies below a file"]);
    test.punch(&["new", "web-service", "web", "--dir", "/proc/web"]).fails(1, &["cannot be made", "--dir"]);
    test.punch(&["new", "web-service", "web", "--set", "prt=1"])
        .fails(1, &["does not ask `prt`; did you mean `port`?"]);
    let long = "a-name-of-more-letters-than-any-account-can-have";
    test.punch(&["new", "web-service", long]).fails(1, &["launch.user", "at most 32 lower-case letters"]);
    test.punch(&["new", "web-service", "shop-deployment"]).fails(1, &["a component cannot be called"]);
}

#[test]
fn lint_of_a_folder_that_is_not_there_names_the_folder() {
    let test = TestFolder::new();
    test.punch(&["lint", "nowhere"]).fails(1, &["error: nowhere: there is no such folder"]);
    test.write("file", "x");
    test.punch(&["lint", "file"]).fails(1, &["error: file: it is no folder", "component.yaml"]);
}

#[test]
fn lint_and_package_say_that_there_is_no_manifest_and_what_is_made_in_its_place() {
    let test = TestFolder::new();
    test.write(
        "shop/component.yaml",
        "format: geppetto/component/1\nname: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\nlaunch: {command: [/usr/bin/shop], user: shop}\n",
    );
    test.write("shop/deploy/templates/shop.conf.j2", "x");
    for verb in ["lint", "package"] {
        let output = test.punch(&[verb, "shop"]);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let text = format!("{}{}", output.stdout, output.stderr);
        for part in [
            "there is no deploy/manifest.yaml; a manifest is made of component.yaml, with the user `shop` and the service `shop`",
            "warning: deploy/templates/shop.conf.j2: it is not read, as there is no deploy/manifest.yaml",
        ] {
            assert!(text.contains(part), "punch {verb}: {part} is not in {text}");
        }
    }
}

#[test]
fn generated_component_passes_lint_and_package() {
    let test = TestFolder::new();
    let names = test.ok(&["archetypes", "--json"]).json();
    assert!(names.as_array().unwrap().iter().any(|archetype| archetype["name"] == "web-service"), "{names}");
    let made = test.ok(&["new", "web-service", "shop", "--json"]).json();
    assert_eq!(made["dir"], "shop");
    test.ok(&["lint", "shop"]);
    let packaged = test.ok(&["package", "shop", "--json"]).json();
    for package in ["payload", "deployment"] {
        assert!(test.path(packaged[package].as_str().unwrap()).exists(), "{packaged}");
    }
    test.punch(&["new", "web-service", "shop"]).fails(1, &["is there already"]);
    let merged = test.ok(&["new", "--update", "--dir", "shop"]);
    assert!(merged.stderr.contains("nothing to merge"), "{}", merged.stderr);
    test.punch(&["new", "--update", "--dir", "home"]).fails(1, &["home"]);
}

#[test]
fn archetype_from_a_folder_is_used() {
    let test = TestFolder::new();
    test.write(
        "ours/tiny/archetype.yaml",
        "format: geppetto/archetype/1\nname: tiny\nversion: 1\nsummary: The smallest\n",
    );
    test.write(
        "ours/tiny/files/component.yaml.tmpl",
        "format: geppetto/component/1\nname: {{ name }}\nversion: 1.0.0\nkind: os-config\nsummary: Tiny\nlicense: Apache-2.0\n",
    );
    test.write("ours/tiny/files/deploy/manifest.yaml", "format: geppetto/manifest/1\nresources: []\n");
    assert!(test.ok(&["archetypes", "--from", "ours"]).stdout.starts_with("tiny  The smallest"));
    test.ok(&["new", "tiny", "thumb", "--from", "ours"]);
    assert!(test.read("thumb/component.yaml").contains("name: thumb"));
    test.punch(&["new", "huge", "x", "--from", "ours"]).fails(1, &["punch archetypes --from ours"]);
}

#[test]
fn folder_without_component_explains_how_to_create_one() {
    let test = TestFolder::new();
    for verb in ["lint", "package", "test"] {
        test.punch(&[verb]).fails(1, &["component.yaml", "punch new ARCHETYPE NAME"]);
    }
    test.punch(&["package", "gone"]).fails(1, &["gone"]);
}

#[test]
fn component_with_faults_is_refused_before_the_build() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    test.ok(&["lint", "shop"]);
    test.write("shop/deploy/templates/shop.conf.j2", "greeting={{ greting }}\n");
    let output = test.punch(&["lint", "shop", "--json"]);
    assert_eq!(output.code, 1, "{}", output.stdout);
    assert!(output.stdout.contains("greting"), "{}", output.stdout);
    assert_eq!(output.json()[0]["severity"], "error");
    let text = test.read("shop/component.yaml");
    test.write("shop/component.yaml", &format!("{text}build: [touch, built]\n"));
    test.punch(&["package", "shop"]).fails(1, &["deploy/templates/shop.conf.j2: `greting`", "did you mean"]);
    assert!(!test.path("shop/built").exists());
}

#[test]
fn same_source_gives_same_bytes_and_signing_changes_only_the_signature() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    test.ok(&["package", "shop", "--out", "one"]);
    test.ok(&["package", "shop", "--out", "two"]);
    let bytes = |folder: &str| fs::read(test.path(folder).join("shop-1.0.0-1.noarch.rpm")).unwrap();
    assert!(bytes("one") == bytes("two"), "two runs gave different packages");
    test.ok(&["package", "shop", "--out", "three", "--source-date", "5"]);
    assert!(bytes("one") != bytes("three"), "the date asked for is not in the package");
}

#[test]
fn failed_build_makes_no_package() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    let text = test.read("shop/component.yaml");
    test.write(
        "shop/component.yaml",
        &format!("{text}build: [sh, -c, \"echo broken pipe organ; exit 3\"]\n"),
    );
    test.punch(&["package", "shop"]).fails(1, &["the build command", "3", "broken pipe organ"]);
    assert!(!test.path("dist").exists() || fs::read_dir(test.path("dist")).unwrap().count() == 0);
    test.ok(&["package", "shop", "--no-build"]);
}

#[test]
fn component_without_a_test_is_reported() {
    let test = TestFolder::new();
    shop(&test, "1.0.0");
    assert!(test.ok(&["test", "shop"]).stdout.contains("has no test"));
}
