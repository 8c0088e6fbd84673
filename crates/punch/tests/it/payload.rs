//! What a payload would replace on a host: the command blocks, and goes on when the component declares it.

use std::fs;

use crate::{
    components::{node, packaged, shop},
    skip::has_tool,
    test_folder::TestFolder,
};

const ARGUMENTS: [&str; 5] = ["node.yaml", "--repository", "dist", "--root", "root"];

fn with_verb(verb: &'static str) -> Vec<&'static str> {
    [&[verb], ARGUMENTS.as_slice()].concat()
}

#[test]
fn plan_and_apply_are_blocked_by_a_file_of_nobody_until_the_component_declares_it() {
    if !has_tool("rpm") {
        return;
    }
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    test.write("root/usr/bin/shop", "administrator's");
    let sentence =
        "file /usr/bin/shop of version 1.0.0-1: what is there belongs to no package and no component";
    let planned = test.punch(&with_verb("plan"));
    assert_eq!(planned.code, 3, "{}", planned.stderr);
    assert!(planned.stdout.contains(sentence), "{}", planned.stdout);
    let applied = test.punch(&with_verb("apply"));
    assert_eq!(applied.code, 3, "{}", applied.stderr);
    assert_eq!(test.read("root/usr/bin/shop"), "administrator's");
    assert!(!test.path("root/usr/share/geppetto").exists());

    shop(&test, "1.0.0");
    let described = test.read("shop/component.yaml");
    test.write("shop/component.yaml", &format!("{described}replaces: [/usr/bin/shop]\n"));
    fs::remove_dir_all(test.path("dist")).unwrap();
    test.ok(&["package", "shop", "--out", "dist", "--source-date", "1700000000"]);
    let planned = test.punch(&with_verb("plan"));
    assert_eq!(planned.code, 10, "{}", planned.stderr);
    assert!(
        planned
            .stdout
            .contains("/usr/bin/shop is saved before it is replaced, and put back when shop is removed"),
        "{}",
        planned.stdout
    );
    test.ok(&with_verb("apply"));
    assert!(test.read("root/usr/bin/shop").contains("shop 1.0.0"));
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    test.ok(&with_verb("apply"));
    assert_eq!(test.read("root/usr/bin/shop"), "administrator's");
}

#[test]
fn plan_fails_like_apply_when_a_payload_cannot_be_had() {
    let test = TestFolder::new();
    packaged(&test, "1.0.0", None);
    node(&test, "node.yaml", "1.0.0", "hello");
    fs::remove_file(test.path("dist/shop-1.0.0-1.noarch.rpm")).unwrap();
    for verb in ["plan", "apply"] {
        let ended = test.punch(&with_verb(verb));
        ended.fails(1, &["no shop 1.0.0-1 in dist"]);
    }
    let planned = test.punch(&with_verb("plan"));
    assert!(
        planned.stdout.contains("  shop 1.0.0-1\n"),
        "the plan is shown all the same: {}",
        planned.stdout
    );
}
