//! What people are told before something happens: effects of imports, promotions and withdrawals.

use std::fs;

use model::format::node;
use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE};

/// The estate with one more server.
fn two_servers() -> Vec<(&'static str, &'static str)> {
    let mut files = ESTATE.to_vec();
    files.push(("servers/web-02.yaml", "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n"));
    files
}

#[test]
fn change_of_an_overridden_value_has_no_effect_and_makes_no_generation() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    files[2].1 =
        "format: geppetto/server/2\nenvironment: prod\nroles: [web]\nvalues: {shop: {http_port: 9999}}\n";
    plane.import(&files).ok();
    let before = plane.get("/api/v1/servers/web-01/node", &plane.admin()).text();
    let role = ESTATE[1].1.replace("8080", "8081");
    files[1].1 = &role;
    let output = plane.import(&files).ok();
    assert!(output.contains("1 changed: role web\nnothing changes on any server"), "{output}");
    assert_eq!(plane.get("/api/v1/servers/web-01/node", &plane.admin()).text(), before);
    // The explanation is of what holds now.
    let found = plane.punch(&["explain", "shop.http_port", "--server", "web-01"]).ok();
    assert!(found.contains("overridden  role web sets 8081 (revision 3"), "{found}");
}

#[test]
fn truncated_and_deleted_server_files_are_named_with_what_they_lose() {
    let (plane, _) = ControlPlane::with_shop();
    plane.import(&two_servers()).ok();
    let mut files = ESTATE.to_vec();
    files[2].1 = "format: geppetto/server/2\nenvironment: prod\n";
    let output = plane.import(&files).ok();
    for expected in [
        "2 servers, 2 distinct results",
        "1 server: web-01\n  - removes shop 1.0.0-1",
        "1 server: web-02\n  - leaves; its credential is revoked",
    ] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
}

#[test]
fn promotion_and_withdrawal_are_previewed_and_name_the_servers() {
    let (plane, key) = ControlPlane::with_shop();
    plane.import(&two_servers()).ok();
    plane.publish_shop("1.1.0", &key, "dev");
    let promote = ["promote", "shop@1.1.0", "--from", "dev", "--to", "prod"];
    let preview = plane.punch(&[&promote[..], &["--dry-run"]].concat()).ok();
    let effect = "2 servers: web-01, web-02\n  + upgrades shop 1.0.0-1 -> 1.1.0-1";
    assert!(preview.contains("would be in prod") && preview.contains(effect), "{preview}");
    let version = |server: &str| {
        let text = plane.get(&format!("/api/v1/servers/{server}/node"), &plane.admin()).text();
        node::parse_node_yaml("node", &text).unwrap().components["shop"].version.to_string()
    };
    assert_eq!(version("web-01"), "1.0.0-1", "a preview changes nothing");
    let promoted = plane.punch(&promote).ok();
    assert!(promoted.contains("is now in prod") && promoted.contains(effect), "{promoted}");
    assert_eq!(version("web-01"), "1.1.0-1");

    let withdraw = ["withdraw", "shop@1.1.0", "--from", "prod"];
    let preview = plane.punch(&[&withdraw[..], &["--dry-run"]].concat()).ok();
    let effect = "2 servers: web-01, web-02\n  - downgrades shop 1.1.0-1 -> 1.0.0-1";
    assert!(preview.contains("would not be in prod any more") && preview.contains(effect), "{preview}");
    assert_eq!(version("web-01"), "1.1.0-1");
    let removed = |options: &[&str]| {
        let output = plane.punch(&[&withdraw[..], &["--json"], options].concat()).ok();
        serde_json::from_str::<serde_json::Value>(&output).unwrap()["removed"].clone()
    };
    let previewed = removed(&["--dry-run"]);
    assert_eq!(previewed, json!(["shop-1.1.0-1.noarch.rpm", "shop-deployment-1.1.0-1.noarch.rpm"]));
    assert_eq!(removed(&[]), previewed, "the preview names the files that the withdrawal removes");
    assert_eq!(version("web-01"), "1.0.0-1");
    let unknown = plane.punch(&["withdraw", "shop@7.0", "--from", "prod"]).failed(1);
    assert!(unknown.contains("7.0"), "{unknown}");
}

#[test]
fn all_values_are_explained_with_their_origin_and_no_secret() {
    let (plane, _) = ControlPlane::with_shop();
    let all = plane.punch(&["explain", "--server", "web-01"]).ok();
    assert!(all.contains("shop = \"1.0.0-1\"  [role web]"), "{all}");
    assert!(all.contains("shop.http_port = 8080  [role web]"), "{all}");
    assert!(all.contains("shop.password = (secret)  [role web]") && !all.contains("hunter2"), "{all}");
}

#[test]
fn local_node_file_is_unsigned_and_has_placeholders_for_secrets() {
    let (plane, _) = ControlPlane::with_shop();
    let text = plane.punch(&["server", "node", "web-01", "--local"]).ok();
    assert!(text.contains("FILL-IN shop.password") && !text.contains("hunter2"), "{text}");
    assert!(!node::has_signature_line(&text));
    let read = node::parse_node_yaml("try.yaml", &text).unwrap();
    assert_eq!((read.generation, read.components["shop"].version.to_string()), (0, "1.0.0-1".to_owned()));
    fs::write(plane.path("try.yaml"), &text).unwrap();
}

#[test]
fn grant_is_needed_where_the_effects_of_a_withdrawal_fall() {
    let (plane, _) = ControlPlane::with_shop();
    let request = json!({"name": "shop", "version": "1.0.0", "from": "prod", "preview": true});
    let elsewhere = plane.create_token("elsewhere", &["developer:staging"]);
    plane.post("/api/v1/withdrawals", &elsewhere, &request).problem(403);
    let here = plane.create_token("here", &["developer:prod"]);
    let change = plane.post("/api/v1/withdrawals", &here, &request).ok();
    assert_eq!(change["effects"][0]["effects"][0]["kind"], "unresolvable");
}
