//! Every verb that asks a control plane, against a real one.

use serde_json::Value;

use crate::{story::prepared, test_environment::TestEnvironment};

/// The JSON that a command prints.
fn json(test: &TestEnvironment, line: &str) -> Value {
    let answer = test.run(&format!("{line} --json")).ends(0);
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{line}: {error}\n{}", answer.out))
}

#[test]
fn repository_verbs_list_channels_components_and_versions() {
    let test = prepared();
    let channels = json(&test, "punch channel list");
    let prod = channels.as_array().unwrap().iter().find(|channel| channel["name"] == "prod").unwrap();
    assert_eq!(prod["components"], 1);
    let components = test.run("punch component list").ends(0).out;
    assert!(components.contains("shop") && components.contains("prod=1.1.0-1"), "{components}");
    assert!(components.contains("web-service"), "{components}");
    let versions = json(&test, "punch component show shop");
    let shown: Vec<&str> =
        versions.as_array().unwrap().iter().filter_map(|v| v["version"].as_str()).collect();
    assert_eq!(shown, ["1.1.0-1", "1.0.0-1"]);
}

#[test]
fn server_verbs_show_a_server_and_revoke_its_credential() {
    let test = prepared();
    let token = test.run("punch server join-token web-01").ends(0).out;
    test.write("token", &token);
    let url = &test.url;
    test.run(&format!("punch join {url} --server web-01 --token-file token --root root")).ends(0);
    test.run("punch restore --root root").ends(0);

    let servers = json(&test, "punch server list");
    assert_eq!((&servers[0]["name"], &servers[0]["outcome"]), (&"web-01".into(), &"changed".into()));
    let listed = test.run("punch server list").ends(0).out;
    assert!(listed.starts_with("NAME") && listed.contains("web-01  prod"), "{listed}");
    let shown = test.run("punch server show web-01").ends(0);
    assert!(
        shown.out.contains("environment: prod") && shown.err.contains("servers/web-01.yaml"),
        "{}",
        shown.out
    );
    let node = test.run("punch server node web-01").ends(0).out;
    assert!(node.contains("format: geppetto/node/1") && node.contains("hello on web-01"), "{node}");
    assert_eq!(json(&test, "punch server node web-01 --generation 1")["server"], "web-01");
    let gone = test.run("punch server node web-01 --generation 99").ends(1);
    assert!(gone.err.contains("99"), "{}", gone.err);
    let explained = test.run("punch explain shop.banner --server web-01").ends(0).out;
    assert!(explained.contains("role web"), "{explained}");

    test.run("punch server revoke web-01").ends(0);
    let refused = test.run("punch restore --root root").ends(1);
    assert!(refused.err.contains("punch server join-token"), "{}", refused.err);
}

#[test]
fn import_previews_commits_and_refuses_to_overwrite_others() {
    let test = prepared();
    assert_eq!(json(&test, "punch revision list")[0]["number"], 1);
    test.run("punch export mine").ends(0);
    test.run("punch export other").ends(0);
    let unchanged = test.run("punch import mine").ends(0).out;
    assert!(unchanged.contains("nothing to change"), "{unchanged}");

    let role = test.read("mine/roles/web.yaml");
    test.write("mine/roles/web.yaml", &role.replace("hello", "welcome"));
    let preview = test.run("punch import mine --dry-run --diff").ends(0).out;
    assert!(preview.contains("1 server: web-01"), "{preview}");
    assert!(preview.contains("+") && preview.contains("welcome on"), "{preview}");
    assert_eq!(json(&test, "punch revision list").as_array().unwrap().len(), 1, "a preview commits nothing");
    let committed = test.run("punch import mine -m friendlier").ends(0).out;
    assert!(committed.contains("committed as revision 2"), "{committed}");
    assert!(test.read("mine/estate.yaml").contains("revision: 2"));

    test.write("other/roles/web.yaml", &role.replace("hello", "goodbye"));
    let refused = test.run("punch import other").ends(1);
    assert!(refused.err.contains("role web"), "{}", refused.err);
    test.run("punch import other --overwrite").ends(0);
    let revisions = test.run("punch revision list").ends(0).out;
    assert!(revisions.contains("friendlier") && revisions.lines().count() == 4, "{revisions}");

    let audit = test.run("punch audit list --limit 3").ends(0).out;
    assert!(audit.lines().count() == 4 && audit.contains("token admin  commit"), "{audit}");
}

#[test]
fn import_removes_documents_that_are_not_in_the_folder() {
    let test = prepared();
    test.run("punch export all").ends(0);
    std::fs::remove_file(test.path("all/servers/web-01.yaml")).unwrap();
    let removed = test.run("punch import all").ends(0).out;
    assert!(removed.contains("1 server: web-01\n  - leaves; its credential is revoked"), "{removed}");
    assert_eq!(json(&test, "punch server list").as_array().unwrap().len(), 0);
    std::fs::create_dir(test.path("nothing")).unwrap();
    let refused = test.run("punch import nothing").ends(1);
    assert!(refused.err.contains("--allow-empty"), "{}", refused.err);
    test.run("punch import nothing --allow-empty").ends(0);
}

#[test]
fn enc_prints_classes_and_parameters_for_operators_only() {
    let test = prepared();
    let printed = test.run("punch server enc web-01").ends(0).out;
    assert!(printed.contains("shop") && printed.contains("hello on web-01"), "{printed}");
    let token = test.run("punch token create eve --grant viewer").ends(0).out;
    test.write("eve.token", &token);
    let refused = test.run("punch server enc web-01 --token-file eve.token").ends(1);
    assert!(refused.err.contains("operator") && refused.out.is_empty(), "{}", refused.err);
}

#[test]
fn export_is_refused_below_operator() {
    let test = prepared();
    let token = test.run("punch token create eve --grant viewer").ends(0).out;
    test.write("eve.token", &token);
    let refused = test.run("punch export mine --token-file eve.token").ends(1);
    assert!(refused.err.contains("operator"), "{}", refused.err);
    assert!(!test.path("mine").exists());
}

#[test]
fn refused_import_prints_every_fault_with_its_place_and_as_json_on_request() {
    let test = prepared();
    test.run("punch export wrong").ends(0);
    let web = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues:\n  shop:\n    htpp_port: 1\n    http_port: many\n";
    test.write("wrong/roles/web.yaml", web);
    let message = test.run("punch import wrong").ends(1).err;
    for part in
        ["nothing was changed", "\n  roles/web.yaml:5:16: role web: ", "\n  roles/web.yaml:6:16: role web: "]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = test.run("punch import wrong --json").ends(1).err;
    let error: Value = serde_json::from_str(message.trim().lines().last().unwrap()).unwrap();
    let faults = error["error"]["faults"].as_array().unwrap();
    assert_eq!(error["error"]["exit"], 1);
    assert!(
        faults
            .iter()
            .any(|fault| fault["line"] == 6 && fault["key"] == "http_port" && fault["place"] == "role web"),
        "{message}"
    );
}
