//! What holds for the whole API.

use serde_json::json;

use crate::plane::Plane;

/// What needs no token, and why: the first tells that the program works, the second brings its own token.
const OPEN: [&str; 2] = ["/api/v1/health", "/api/v1/join"];

#[test]
fn every_endpoint_refuses_a_request_without_a_good_token() {
    let plane = Plane::start();
    let document = plane.get("/api/v1/openapi.json", "").ok();
    let mut seen = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = fill(template);
            let open = OPEN.contains(&template.as_str());
            assert_eq!(operation["security"].is_array(), open, "{template} says whether it is open");
            for status in ["401", "403"] {
                let said = &operation["responses"][status]["content"]["application/problem+json"];
                assert_eq!(said.is_object(), !open, "{method} {template} says what {status} is");
            }
            if open {
                continue;
            }
            seen += 1;
            let method = method.to_uppercase();
            for token in ["", "gpt_0123456789abcdef_00", "nonsense", "gps_x_y"] {
                let detail = plane.ask(&method, &path, token, &[], b"{}").problem(401);
                assert!(detail.contains("token"), "{method} {path}: {detail}");
            }
        }
    }
    assert!(seen >= 20, "{seen}");
}

fn fill(template: &str) -> String {
    template
        .replace("{server}", "web-01")
        .replace("{generation}", "1")
        .replace("{report}", "1")
        .replace("{file}", "a-1-1.noarch.rpm")
        .replace("{channel}", "dev")
        .replace("{name}", "web")
}

#[test]
fn each_role_may_do_what_the_ones_before_it_may_and_no_more() {
    let plane = Plane::start();
    let look = |token: &str| plane.get("/api/v1/servers", token).status;
    let publish =
        |token: &str| plane.post("/api/v1/channels/dev/publications", token, &json!({"files": []})).status;
    let change = |token: &str| {
        plane.post("/api/v1/changes", token, &json!({"documents": {}, "message": "", "preview": true})).status
    };
    for (role, expected) in [
        ("viewer", (200, 403, 403)),
        ("developer", (200, 422, 403)),
        ("operator", (200, 422, 200)),
        ("admin", (200, 422, 200)),
    ] {
        let token = plane.token(role);
        assert_eq!((look(&token), publish(&token), change(&token)), expected, "{role}");
    }
}

#[test]
fn refusals_have_one_form_and_say_what_to_do() {
    let plane = Plane::start();
    let admin = plane.admin();
    let detail = plane.get("/api/v1/nothing", &admin).problem(404);
    assert!(detail.contains("/api/v1/nothing") && detail.contains("openapi.json"), "{detail}");
    let refused = plane.ask("DELETE", "/api/v1/servers", &admin, &[], &[]);
    assert!(refused.problem(405).contains("does not answer DELETE"));
    assert_eq!(refused.header("allow"), "GET,HEAD");
    let json = [("content-type", "application/json")];
    plane.ask("POST", "/api/v1/changes", &admin, &json, b"{").problem(400);
    plane.ask("POST", "/api/v1/changes", &admin, &[("content-type", "text/plain")], b"{}").problem(415);
    let detail = plane.ask("POST", "/api/v1/changes", &admin, &json, b"{}").problem(422);
    assert!(detail.contains("documents"), "{detail}");
    plane.get("/api/v1/roles?limit=many", &admin).problem(400);
    plane.get("/api/v1/roles/Not%20a%20name", &admin).problem(400);
    let detail = plane.get("/api/v1/roles/web", &admin).problem(404);
    assert!(detail.contains("there is no role `web`"), "{detail}");
    let anonymous = plane.get("/api/v1/servers", "");
    assert!(anonymous.problem(401).contains("geppetto token create"));
    assert_eq!(anonymous.header("www-authenticate"), "Bearer");
    let basic = plane.ask("GET", "/api/v1/servers", "", &[("authorization", "Basic YTpi")], &[]);
    assert!(basic.problem(401).contains("Bearer TOKEN"));
}

#[test]
fn whoever_polls_and_has_it_already_is_told_so_in_a_few_bytes() {
    let (plane, _) = Plane::with_shop();
    let admin = plane.admin();
    for path in [
        "/api/v1/servers",
        "/api/v1/roles",
        "/api/v1/roles/web",
        "/api/v1/channels?limit=1",
        "/api/v1/servers/web-01/reports",
        "/api/v1/servers/web-01/node/1",
        "/api/v1/servers/web-01/node",
    ] {
        plane.get("/api/v1/servers/web-01/node", &admin);
        let first = plane.get(path, &admin);
        assert_eq!(first.status, 200, "{path}: {}", first.text());
        let etag = first.header("etag").to_owned();
        let again = plane.ask("GET", path, &admin, &[("if-none-match", &etag)], &[]);
        assert_eq!(
            (again.status, again.bytes.len(), again.header("etag")),
            (304, 0, etag.as_str()),
            "{path}"
        );
    }
    // Whoever may see less gets another tag.
    let mine = plane.get("/api/v1/roles/web", &admin).header("etag").to_owned();
    let viewer = plane.token("viewer");
    assert_eq!(plane.ask("GET", "/api/v1/roles/web", &viewer, &[("if-none-match", &mine)], &[]).status, 200);
}

#[test]
fn the_bearer_scheme_is_read_in_any_case() {
    let plane = Plane::start();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let authorization = format!("{scheme} {}", plane.admin());
        let reply = plane.ask("GET", "/api/v1/servers", "", &[("authorization", &authorization)], &[]);
        assert_eq!(reply.status, 200, "{scheme}");
    }
}
