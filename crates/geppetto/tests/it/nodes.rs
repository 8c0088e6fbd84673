//! Joining, node files, generations, explanations, reports.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use model::format::node;
use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE, local_administrator};

const NODE: &str = "/api/v1/servers/web-01/node";

#[test]
fn join_token_works_once_and_gives_credential_and_keys() {
    let (plane, _) = ControlPlane::with_shop();
    let operator = plane.token("operator");
    let token =
        plane.post("/api/v1/join-tokens", &operator, &json!({"server": "web-01", "seconds": 60})).ok();
    let token = token["token"].as_str().unwrap();
    for (server, token) in [("web-02", token), ("web-01", "gpj_0_0"), ("web-01", ""), ("web-01", &operator)] {
        let detail = plane.post("/api/v1/join", "", &json!({"server": server, "token": token})).problem(403);
        assert!(detail.contains("punch server join-token"), "{detail}");
    }
    let joined = plane.post("/api/v1/join", "", &json!({"server": "web-01", "token": token})).ok();
    plane.post("/api/v1/join", "", &json!({"server": "web-01", "token": token})).problem(403);

    let credential = joined["credential"].as_str().unwrap();
    let text = plane.get(NODE, credential).text();
    let key: [u8; 32] = STANDARD.decode(joined["node_key"].as_str().unwrap()).unwrap().try_into().unwrap();
    node::verify_node_file_signature("node", &text, &VerifyingKey::from_bytes(&key).unwrap()).unwrap();
    assert!(joined["package_keys"].as_str().unwrap().contains("BEGIN PGP PUBLIC KEY BLOCK"));

    // Joining again makes the first credential worthless.
    let again = plane.credential("web-01");
    plane.get(NODE, credential).problem(401);
    assert_eq!(plane.get(NODE, &again).status, 200);
}

#[test]
fn credential_of_a_server_is_refused_for_other_servers() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    files.push(("servers/web-02.yaml", ESTATE[2].1));
    plane.import(&files).ok();
    let credential = plane.credential("web-01");
    for path in ["node", "node/1", "explain?key=shop.http_port", "reports"] {
        plane.get(&format!("/api/v1/servers/web-02/{path}"), &credential).problem(403);
    }
    for path in ["/api/v1/servers", "/api/v1/roles/web", "/api/v1/components", "/api/v1/audit"] {
        plane.get(path, &credential).problem(403);
    }
    plane.post("/api/v1/changes", &credential, &json!({})).problem(403);
}

#[test]
fn generation_grows_only_when_the_content_changes_and_all_are_kept() {
    let (plane, key) = ControlPlane::with_shop();
    let credential = plane.credential("web-01");
    let first = plane.get(NODE, &credential);
    assert_eq!(node::parse_node_yaml("n", &first.text()).unwrap().generation, 1);
    let etag = first.header("etag").to_owned();
    let unchanged = plane.ask("GET", NODE, &credential, &[("if-none-match", &etag)], &[]);
    assert_eq!((unchanged.status, unchanged.bytes.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), etag);

    // Another revision and another publication that do not reach the server: the same generation.
    let mut files = ESTATE.to_vec();
    files.push(("roles/other.yaml", "format: geppetto/role/1\n"));
    plane.import(&files).ok();
    plane.publish_shop("0.9.0", &key, "prod");
    assert_eq!(plane.ask("GET", NODE, &credential, &[("if-none-match", &etag)], &[]).status, 304);

    plane.publish_shop("1.1.0", &key, "prod");
    let second = plane.ask("GET", NODE, &credential, &[("if-none-match", &etag)], &[]);
    let parsed = node::parse_node_yaml("n", &second.text()).unwrap();
    assert_eq!(parsed.generation, 2);
    assert_eq!(parsed.components["shop"].version.to_string(), "1.1.0-1");
    assert_eq!(plane.get(&format!("{NODE}/1"), &credential).text(), first.text());
    let detail = plane.get(&format!("{NODE}/3"), &credential).problem(404);
    assert!(detail.contains("did you mean `2`?"), "{detail}");
}

#[test]
fn concurrent_requests_get_the_same_generation() {
    let (plane, _) = ControlPlane::with_shop();
    let credential = plane.credential("web-01");
    let texts: BTreeSet<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| plane.get(NODE, &credential).text())).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(texts.len(), 1);
    assert_eq!(node::parse_node_yaml("n", texts.first().unwrap()).unwrap().generation, 1);
}

#[test]
fn secrets_go_to_the_server_and_operators_and_are_masked_for_others() {
    let (plane, _) = ControlPlane::with_shop();
    for token in [plane.credential("web-01"), plane.token("operator")] {
        let text = plane.get(NODE, &token).text();
        assert!(text.contains("hunter2") && node::has_signature_line(&text), "{text}");
    }
    let signed = node::parse_node_yaml("n", &plane.get(NODE, &plane.admin()).text()).unwrap();
    let digest = model::node::digest_node_content(&signed).to_string();
    assert!(plane.get(NODE, &plane.admin()).header("etag").contains(&digest));
    for token in [plane.token("viewer"), plane.token("developer")] {
        let reply = plane.get(NODE, &token);
        let text = reply.text();
        assert!(
            !text.contains("hunter2") && text.contains("(secret)") && !node::has_signature_line(&text),
            "{text}"
        );
        // The tag is of what is shown: a digest of the secrets too would let them be guessed at.
        assert!(!reply.header("etag").contains(&digest), "{}", reply.header("etag"));
        let same = plane.ask("GET", NODE, &token, &[("if-none-match", reply.header("etag"))], &[]);
        assert_eq!(same.status, 304);
    }
    let json: serde_json::Value =
        serde_json::from_str(&plane.punch(&["server", "node", "web-01", "--json"]).ok()).unwrap();
    assert_eq!(json["components"]["shop"]["values"]["http_port"], 8080);
    let whole = plane.punch(&["server", "node", "web-01"]).ok();
    assert!(whole.contains("hunter2") && node::has_signature_line(&whole), "{whole}");
    let puppet = plane.punch(&["server", "enc", "web-01"]).ok();
    assert!(puppet.contains("classes:") && puppet.contains("http_port: 8080"), "{puppet}");
}

#[test]
fn api_and_command_explain_alike_and_never_show_a_secret() {
    let (plane, _) = ControlPlane::with_shop();
    let path = "/api/v1/servers/web-01/explain?key=shop.http_port";
    let found = plane.get(path, &plane.token("viewer")).ok();
    assert_eq!(found["value"], 8080);
    assert_eq!(found["provenance"][0]["place"], "role web");
    assert_eq!(found["provenance"][0]["revision"], 1);
    assert_eq!(found["provenance"][0]["by"], local_administrator());
    let printed: serde_json::Value = serde_json::from_str(
        &plane.punch(&["explain", "shop.http_port", "--server", "web-01", "--json"]).ok(),
    )
    .unwrap();
    assert_eq!(printed, found);
    let lines = plane.punch(&["explain", "shop.http_port", "--server", "web-01"]).ok();
    assert!(
        lines.contains(&format!(
            "shop.http_port = 8080\n  effective   role web sets 8080 (revision 1 by {})",
            local_administrator()
        )),
        "{lines}"
    );
    let lines = plane.punch(&["explain", "shop.password", "--server", "web-01"]).ok();
    assert!(lines.contains("(secret)") && !lines.contains("hunter2"), "{lines}");
    let detail = plane.get("/api/v1/servers/web-01/explain?key=shop.prot", &plane.admin()).problem(404);
    assert!(detail.contains("http_port") || detail.contains("shop"), "{detail}");
}

#[test]
fn wishes_and_removals_are_explained_with_their_revision_and_author() {
    let (plane, _) = ControlPlane::with_shop();
    let mut files = ESTATE.to_vec();
    files[2].1 = "format: geppetto/server/2\nenvironment: prod\nroles: [web]\nremove: [shop.http_port]\n";
    plane.import(&files).ok();
    let token = plane.token("viewer");
    let found = plane.get("/api/v1/servers/web-01/explain?key=shop", &token).ok();
    assert_eq!(found["provenance"][0]["place"], "role web");
    assert_eq!(found["provenance"][0]["revision"], 1);
    assert_eq!(found["provenance"][0]["by"], local_administrator());
    let lines = plane.punch(&["explain", "shop.http_port", "--server", "web-01"]).ok();
    assert!(
        lines.contains(&format!(
            "effective   server web-01 removes what is set by role web (revision 2 by {})",
            local_administrator()
        )),
        "{lines}"
    );
}

#[test]
fn unresolvable_node_is_answered_with_the_reason() {
    let (plane, _) = ControlPlane::with_shop();
    let requirement = ESTATE[1].1.replace("'*'", "'>=2'");
    let mut files = ESTATE.to_vec();
    files[1].1 = &requirement;
    // Whether a range nobody can fill is refused on import or on delivery, it is told.
    let ran = plane.import(&files);
    let message = if ran.code == 0 { plane.get(NODE, &plane.admin()).problem(409) } else { ran.failed(1) };
    assert!(message.contains("shop") && message.contains(">=2") && message.contains("1.0.0"), "{message}");
    plane.get("/api/v1/servers/web-1/node", &plane.admin()).problem(404);
    plane.get("/api/v1/servers/..%2f..%2fetc/node", &plane.admin()).problem(404);
}

fn report(server: &str, generation: u64, entries: serde_json::Value) -> serde_json::Value {
    json!({"server": server, "generation": generation, "outcome": "changed", "started_us": generation,
           "duration_us": 2, "unchanged": 3, "entries": entries})
}

#[test]
fn server_reports_only_for_itself_and_reports_are_listed_newest_first() {
    let (plane, _) = ControlPlane::with_shop();
    let credential = plane.credential("web-01");
    let path = "/api/v1/servers/web-01/reports";
    let report = |server: &str, generation| report(server, generation, json!([]));
    for generation in 1..=3 {
        assert_eq!(plane.post(path, &credential, &report("web-01", generation)).status, 201);
    }
    plane.post(path, &credential, &report("web-02", 1)).problem(422);
    plane.post(path, &plane.admin(), &report("web-01", 1)).problem(403);
    plane.post(path, &credential, &json!({"server": "web-01"})).problem(422);
    let page = plane.get(&format!("{path}?limit=2"), &plane.token("viewer")).ok();
    assert_eq!(page["items"][0]["generation"], 3);
    let next = page["next"].as_u64().unwrap();
    let rest = plane.get(&format!("{path}?before={next}"), &credential).ok();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let servers = plane.get("/api/v1/servers", &plane.admin()).ok();
    assert_eq!(servers["items"][0]["reported_generation"], 3);
    assert_eq!(servers["items"][0]["outcome"], "changed");
}

#[test]
fn reports_are_bounded_listed_without_what_was_done_and_stored_once() {
    let (plane, _) = ControlPlane::with_shop();
    let credential = plane.credential("web-01");
    let path = "/api/v1/servers/web-01/reports";
    let entry =
        |detail: &str| json!({"action": "a", "component": "shop", "result": "done", "detail": detail});
    let long = report("web-01", 1, json!([entry(&"é".repeat(9000)), entry("short")]));
    let stored = plane.post(path, &credential, &long).ok();
    let detail = stored["report"]["entries"][0]["detail"].as_str().unwrap();
    assert!(detail.chars().count() < 4100 && detail.contains("18000 bytes in all"), "{detail}");
    assert_eq!(plane.post(path, &credential, &long).ok(), stored, "a run that is reported again");

    let page = plane.get(path, &credential).ok();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!((&page["items"][0]["entries"], &page["items"][0]["outcome"]), (&json!(2), &json!("changed")));
    assert_eq!(plane.get(&format!("{path}/{}", stored["id"]), &credential).ok(), stored);
    let detail = plane.get(&format!("{path}/99"), &credential).problem(404);
    assert!(detail.contains("no report 99 of web-01"), "{detail}");
    for path in ["/api/v1/servers/web-99/reports", "/api/v1/servers/web-99/reports/1"] {
        let detail = plane.get(path, &plane.admin()).problem(404);
        assert!(detail.contains("there is no server `web-99`"), "{detail}");
    }
    let many = report("web-01", 2, json!(vec![entry(""); 10_001]));
    let detail = plane.post(path, &credential, &many).problem(422);
    assert!(detail.contains("at most 10000"), "{detail}");
    let large = report("web-01", 3, json!([entry(&"x".repeat(1 << 20))]));
    plane.post(path, &credential, &large).problem(413);
}

#[test]
fn server_that_is_revoked_or_removed_must_join_again() {
    let (plane, _) = ControlPlane::with_shop();
    let first = plane.credential("web-01");
    let preview = plane.punch(&["server", "revoke", "web-01", "--dry-run"]).ok();
    for expected in [
        "web-01: environment prod, roles: ",
        "\nlast report: never\njoined: 2",
        "\nwould be revoked: its credential and 0 usable join tokens; it gets no node file",
    ] {
        assert!(preview.contains(expected), "{expected}: {preview}");
    }
    assert_eq!(plane.get(NODE, &first).status, 200, "a preview revokes nothing");
    let unknown = plane.punch(&["server", "revoke", "web-1", "--dry-run"]).failed(1);
    assert!(unknown.contains("did you mean `web-01`?"), "{unknown}");
    let message = plane.punch(&["server", "revoke", "web-01"]);
    assert!(message.err.contains("punch server join-token web-01"), "{}", message.err);
    assert!(plane.get(NODE, &first).problem(401).contains("joins again"));
    plane.punch(&["server", "revoke", "web-01"]).ok();
    let message = plane.punch(&["server", "revoke", "web-1"]).failed(1);
    assert!(message.contains("did you mean `web-01`?"), "{message}");

    let second = plane.credential("web-01");
    let path = "/api/v1/servers/web-01/credential";
    plane.ask("DELETE", path, &plane.token("developer"), &[], &[]).problem(403);
    for _ in 0..2 {
        assert_eq!(plane.ask("DELETE", path, &plane.admin(), &[], &[]).status, 204);
    }
    plane.get(NODE, &second).problem(401);
    plane.ask("DELETE", "/api/v1/servers/web-99/credential", &plane.admin(), &[], &[]).problem(404);

    let third = plane.credential("web-01");
    assert_eq!(plane.get(NODE, &third).status, 200);
    plane.import(&ESTATE[..2]).ok();
    plane.get(NODE, &third).problem(401);
    let preview = plane.get("/api/v1/servers/web-01/credential", &plane.admin());
    preview.problem(404);
    plane.get("/api/v1/servers/web-01/reports", &third).problem(401);
    // It is not let in again by being named again.
    plane.import(&ESTATE).ok();
    plane.get(NODE, &third).problem(401);
}
