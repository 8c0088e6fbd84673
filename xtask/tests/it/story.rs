//! The path of ARCHITECTURE.md, walked once from end to end into a root folder.

use crate::test_environment::{TestEnvironment, tree};

const ROLE: &str = "format: geppetto/role/1\ninherits: [base]\ncomponents: {shop: \"VERSION\"}\nvalues:\n  shop: {banner: \"BANNER on ${server.name}\", http_port: 18080}\n";

fn write_web_role(test: &TestEnvironment, version: &str, banner: &str) {
    test.write("estate/roles/web.yaml", &ROLE.replace("VERSION", version).replace("BANNER", banner));
}

/// A control plane with `shop` 1.0.0 and 1.1.0 in `prod`, and an estate in which `web-01` runs 1.0.0.
pub(crate) fn prepared() -> TestEnvironment {
    let mut test = TestEnvironment::new();
    test.start_control_plane_on_free_port();
    let url = test.url.clone();
    let token = test.run("punch token create admin --grant admin").ends(0).out;
    test.write("admin.token", &token);
    test.run(&format!("punch login {url} --token-file admin.token")).ends(0);
    test.run("punch key new --name Alice --out alice.key").ends(0);
    let public = test.run("punch key public alice.key").ends(0).out;
    test.write("alice.asc", &public);
    test.run("punch key trust alice.asc").ends(0);

    test.run("punch new web-service shop --set version=1.0.0").ends(0);
    test.run("punch test shop").ends(0);
    test.run("punch lint shop").ends(0);
    test.run("punch package shop --out dist --key alice.key").ends(0);
    let description = test.read("shop/component.yaml");
    assert!(description.contains("version: 1.0.0"), "{description}");
    test.write("shop/component.yaml", &description.replace("version: 1.0.0", "version: 1.1.0"));
    test.run("punch package shop --out dist --key alice.key").ends(0);

    for version in ["1.0.0", "1.1.0"] {
        test
            .run(&format!(
                "punch publish dist/shop-{version}-1.noarch.rpm dist/shop-deployment-{version}-1.noarch.rpm --channel dev"
            ))
            .ends(0);
        test.run(&format!("punch promote shop@{version} --from dev --to prod")).ends(0);
    }

    test.write("estate/roles/base.yaml", "format: geppetto/role/1\n");
    test.write("estate/environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n");
    test.write("estate/servers/web-01.yaml", "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n");
    write_web_role(&test, "1.0.0", "hello");
    test.run("punch import estate").ends(0);
    test
}

fn join(test: &TestEnvironment, root: &str) {
    let token = test.run("punch server join-token web-01").ends(0).out;
    test.write("join.token", &token);
    let url = &test.url;
    test.run(&format!("punch join {url} --server web-01 --token-file join.token --root {root}")).ends(0);
}

#[test]
fn component_is_generated_published_restored_and_updated() {
    let mut test = prepared();
    join(&test, "root");

    test.run("punch plan --root root").ends(10);
    test.run("punch restore --root root").ends(0);
    let config = test.read("root/etc/shop/shop.conf");
    assert!(config.contains("hello on web-01") && config.contains("18080"), "{config}");
    let installed =
        test.run("rpm -qa --root ROOT".replace("ROOT", &test.path("root").display().to_string()).as_str());
    assert!(
        installed.out.contains("shop-1.0.0-1") && installed.out.contains("shop-deployment-1.0.0-1"),
        "{} {}",
        installed.out,
        installed.err
    );

    // Nothing to do is nothing done.
    test.run("punch plan --root root").ends(0);
    let before = tree(&test.path("root/etc"));
    test.run("punch restore --root root").ends(0);
    assert_eq!(before, tree(&test.path("root/etc")));

    // The host and the control plane explain a value with the same words.
    let here = test.run("punch explain shop.banner --root root").ends(0).out;
    let there = test.run("punch explain shop.banner --server web-01").ends(0).out;
    assert_eq!(here, there);
    assert!(here.contains("role web"), "{here}");

    // One value and one version change.
    write_web_role(&test, "^1.1", "welcome");
    let shown = test.run("punch import estate").ends(0);
    assert!((shown.out + &shown.err).contains("web-01"));
    let plan = test.run("punch plan --root root").ends(10).out;
    assert!(plan.contains("1.1.0-1") && plan.contains("welcome on web-01"), "{plan}");
    test.run("punch restore --root root").ends(0);
    assert!(test.read("root/etc/shop/shop.conf").contains("welcome on web-01"));
    assert!(
        !test.run("punch import estate").ends(0).out.contains("welcome"),
        "a second import changes nothing"
    );

    // The control plane down is not an outage.
    test.kill_control_plane();
    let down = test.run("punch restore --root root").ends(6);
    assert!(down.err.contains("--cached"), "{}", down.err);
    test.run("punch restore --cached --root root").ends(0);
}

#[test]
fn unneeded_components_are_removed() {
    let test = prepared();
    join(&test, "root");
    test.run("punch restore --root root").ends(0);
    assert!(tree(&test.path("root")).iter().any(|path| path.contains("etc/shop/")));

    test.write("estate/roles/web.yaml", "format: geppetto/role/1\ninherits: [base]\n");
    test.run("punch import estate").ends(0);
    test.run("punch restore --root root --max-removals 0").ends(3);
    test.run("punch restore --root root").ends(0);
    let left: Vec<String> = tree(&test.path("root"))
        .into_iter()
        .filter(|path| path.contains("shop") && !path.contains("geppetto/punch"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn apply_and_restore_report_the_same_actions_in_order() {
    let test = prepared();
    join(&test, "restored");
    test.run("punch restore --root restored").ends(0);
    let node = test.run("punch server node web-01").ends(0).out;
    test.write("node.yaml", &node);
    test.run("punch apply node.yaml --repository dist --root applied").ends(0);

    let actions = |root: &str| -> Vec<String> {
        let history = test.run(&format!("punch history --json --root {root}")).ends(0).out;
        let runs: serde_json::Value = serde_json::from_str(&history).unwrap();
        let text = runs.to_string();
        text.split("\"action\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned)
            .collect()
    };
    let applied = actions("applied");
    assert!(applied.len() > 3, "{applied:?}");
    assert_eq!(applied, actions("restored"));
}
