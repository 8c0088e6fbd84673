//! What holds for the whole API.

use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE, local_administrator};

/// What needs no token, and why: the first tells that the program works, the second brings its own token.
const OPEN: [&str; 2] = ["/api/v1/health", "/api/v1/join"];

#[test]
fn every_endpoint_refuses_a_request_without_a_good_token() {
    let plane = ControlPlane::start();
    let document = plane.get("/api/v1/openapi.json", "").ok();
    let mut checked_operations = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = fill(template);
            let open = OPEN.contains(&template.as_str());
            assert_eq!(operation["security"].is_array(), open, "{template} says whether it is open");
            let is_documented = |status: &str| {
                operation["responses"][status]["content"]["application/problem+json"].is_object()
            };
            assert_eq!(is_documented("401"), !open, "{method} {template} says what 401 is");
            // A join token can be wrong as well.
            assert_eq!(is_documented("403"), template != OPEN[0], "{method} {template} says what 403 is");
            if open {
                continue;
            }
            checked_operations += 1;
            let method = method.to_uppercase();
            for token in ["", "gpt_0123456789abcdef_00", "nonsense", "gps_x_y"] {
                let detail = plane.ask(&method, &path, token, &[], b"{}").problem(401);
                assert!(detail.contains("token"), "{method} {path}: {detail}");
            }
        }
    }
    assert!(checked_operations >= 20, "{checked_operations}");
}

fn fill(template: &str) -> String {
    template
        .replace("{server}", "web-01")
        .replace("{generation}", "1")
        .replace("{report}", "1")
        .replace("{file}", "a-1-1.noarch.rpm")
        .replace("{channel}", "dev")
        .replace("{name}", "web")
        .replace("{job}", "1")
        .replace("{fingerprint}", "0123456789ABCDEF")
}

#[test]
fn broken_body_is_not_looked_at_before_the_rights() {
    let (plane, _) = ControlPlane::with_shop();
    let document = plane.get("/api/v1/openapi.json", "").ok();
    let (viewer, admin) = (plane.token("viewer"), plane.admin());
    let elsewhere = plane.create_token("elsewhere", &["admin:mars/rover"]);
    let server = plane.credential("web-01");
    // These concern the whole control plane: a grant that holds elsewhere is no right.
    let everywhere = ["/api/v1/tokens", "/api/v1/keys", "/api/v1/jobs", "/api/v1/channels"];
    let json = ("content-type", "application/json");
    let too_large = vec![b' '; 64 << 10];
    let mut checked_operations = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !operation["requestBody"].is_object() || OPEN.contains(&template.as_str()) {
                continue;
            }
            checked_operations += 1;
            let (method, path) = (method.to_uppercase(), fill(template));
            let bodies = [
                (json, b"{".as_slice()),
                (json, b"[]"),
                (("content-type", "text/plain"), b"x"),
                (json, &too_large),
            ];
            for (header, body) in bodies {
                let ask = |token: &str| plane.ask(&method, &path, token, &[header], body);
                ask("").problem(401);
                ask(&viewer).problem(403);
                if everywhere.contains(&template.as_str()) {
                    ask(&elsewhere).problem(403);
                }
                if template.ends_with("/reports") {
                    ask(&admin).problem(403);
                    plane
                        .ask(&method, &path.replace("web-01", "web-02"), &server, &[header], body)
                        .problem(403);
                }
            }
        }
    }
    assert!(checked_operations >= 11, "{checked_operations}");
}

#[test]
fn numbers_beyond_their_bounds_are_refused_and_the_largest_are_not() {
    let plane = ControlPlane::start();
    let admin = plane.admin();
    for path in ["audit", "jobs", "revisions"] {
        plane.get(&format!("/api/v1/{path}?before={}", i64::MAX), &admin).ok();
        plane.get(&format!("/api/v1/{path}?before={}", i64::MAX as u64 + 1), &admin).problem(400);
        plane.get(&format!("/api/v1/{path}?limit=0"), &admin).problem(400);
        plane.get(&format!("/api/v1/{path}?limit=1001"), &admin).problem(400);
    }
    let token = json!({"name": "long", "grants": ["viewer"], "days": u32::MAX});
    plane.post("/api/v1/tokens", &admin, &token).ok();
    let token = json!({"name": "longer", "grants": ["viewer"], "days": u64::from(u32::MAX) + 1});
    plane.post("/api/v1/tokens", &admin, &token).problem(422);
}

/// What each access level is answered by each endpoint: the weakest level that is let in.
const WEAKEST: [(&str, &str, &str); 49] = [
    ("DELETE", "/api/v1/users/{name}", "admin"),
    ("GET", "/api/v1/users", "admin"),
    ("POST", "/api/v1/users", "admin"),
    ("PUT", "/api/v1/users/{name}/grants", "admin"),
    ("POST", "/api/v1/users/{name}/password-link", "admin"),
    ("GET", "/api/v1/audit", "operator"),
    ("GET", "/api/v1/channels", "viewer"),
    ("POST", "/api/v1/channels", "operator"),
    ("POST", "/api/v1/channels/{channel}/publications", "developer"),
    ("POST", "/api/v1/changes", "operator"),
    ("GET", "/api/v1/components", "viewer"),
    ("GET", "/api/v1/components/{name}/versions", "viewer"),
    ("GET", "/api/v1/environments", "viewer"),
    ("GET", "/api/v1/environments/{name}", "viewer"),
    ("GET", "/api/v1/estate", "viewer"),
    ("GET", "/api/v1/events", "viewer"),
    ("GET", "/api/v1/groups", "viewer"),
    ("GET", "/api/v1/groups/{name}", "viewer"),
    ("GET", "/api/v1/jobs", "viewer"),
    ("POST", "/api/v1/jobs", "operator"),
    ("GET", "/api/v1/jobs/{job}", "viewer"),
    ("POST", "/api/v1/jobs/{job}/cancel", "operator"),
    ("POST", "/api/v1/jobs/{job}/retry", "operator"),
    ("POST", "/api/v1/join-tokens", "operator"),
    ("GET", "/api/v1/keys", "viewer"),
    ("POST", "/api/v1/keys", "admin"),
    ("DELETE", "/api/v1/keys/{fingerprint}", "admin"),
    ("PUT", "/api/v1/packages/{file}", "developer"),
    ("POST", "/api/v1/promotions", "developer"),
    ("POST", "/api/v1/withdrawals", "developer"),
    ("GET", "/api/v1/retention-preview", "operator"),
    ("GET", "/api/v1/revisions", "viewer"),
    ("GET", "/api/v1/revisions/diff", "viewer"),
    ("GET", "/api/v1/roles", "viewer"),
    ("GET", "/api/v1/roles/{name}", "viewer"),
    ("GET", "/api/v1/servers", "viewer"),
    ("GET", "/api/v1/servers/{server}", "viewer"),
    ("GET", "/api/v1/servers/{server}/credential", "operator"),
    ("DELETE", "/api/v1/servers/{server}/credential", "operator"),
    ("GET", "/api/v1/servers/{server}/explain", "viewer"),
    ("GET", "/api/v1/servers/{server}/explanations", "viewer"),
    ("GET", "/api/v1/servers/{server}/local-node", "viewer"),
    ("GET", "/api/v1/servers/{server}/node", "viewer"),
    ("GET", "/api/v1/servers/{server}/node/{generation}", "viewer"),
    ("GET", "/api/v1/servers/{server}/reports", "viewer"),
    ("GET", "/api/v1/servers/{server}/reports/{report}", "viewer"),
    ("GET", "/api/v1/tokens", "admin"),
    ("POST", "/api/v1/tokens", "admin"),
    ("DELETE", "/api/v1/tokens/{name}", "admin"),
];

/// Endpoints for servers themselves, and for anybody with a token.
const OTHERS: [(&str, &str); 2] = [("GET", "/api/v1/whoami"), ("POST", "/api/v1/servers/{server}/reports")];

#[test]
fn each_endpoint_lets_in_its_weakest_access_level_and_no_weaker_one() {
    let (plane, _) = ControlPlane::with_shop();
    let document = plane.get("/api/v1/openapi.json", "").ok();
    for (template, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let known = WEAKEST.iter().any(|(m, path, _)| (*m, *path) == (&method, template))
                || OTHERS.contains(&(&method, template))
                || OPEN.contains(&template.as_str());
            assert!(known, "{method} {template} has no access level in this test");
        }
    }
    let levels = ["viewer", "developer", "operator", "admin"];
    let tokens = levels.map(|level| plane.token(level));
    // A grant that holds nowhere that this estate has: it is let in, and sees and changes nothing.
    let elsewhere =
        levels.map(|level| plane.create_token(&format!("{level}-2"), &[&format!("{level}:mars/rover")]));
    for (method, template, weakest) in WEAKEST {
        if template == "/api/v1/events" {
            continue;
        }
        let path = fill(template);
        let path = if template.ends_with("/explain") { format!("{path}?key=shop") } else { path };
        let allowed = levels.iter().position(|level| *level == weakest).unwrap();
        for (rank, (token, elsewhere)) in tokens.iter().zip(&elsewhere).enumerate() {
            let json = [("content-type", "application/json")];
            let status = plane.ask(method, &path, token, &json, b"{}").status;
            assert_eq!(status != 403, rank >= allowed, "{method} {template} as {}: {status}", levels[rank]);
            assert_ne!(status, 401, "{method} {template}");
            let refused = plane.ask(method, &path, elsewhere, &json, b"{}").status;
            assert!(rank >= allowed || refused == 403, "{method} {template} as {}: {refused}", levels[rank]);
        }
    }
    // What belongs to an environment is refused where the grant holds elsewhere.
    for (method, path, body) in [
        ("GET", "/api/v1/servers/web-01", json!({})),
        ("GET", "/api/v1/servers/web-01/node", json!({})),
        ("GET", "/api/v1/servers/web-01/reports", json!({})),
        ("GET", "/api/v1/servers/web-01/explain?key=shop", json!({})),
        ("GET", "/api/v1/environments/prod", json!({})),
        ("GET", "/api/v1/jobs", json!({})),
        ("GET", "/api/v1/audit", json!({})),
        ("GET", "/api/v1/tokens", json!({})),
        ("POST", "/api/v1/tokens", json!({"name": "eve", "grants": ["admin"]})),
        ("POST", "/api/v1/keys", json!({"armored": "x"})),
        ("POST", "/api/v1/jobs", json!({"kind": "check-repository"})),
        ("POST", "/api/v1/channels", json!({"name": "mars"})),
        ("POST", "/api/v1/join-tokens", json!({"server": "web-01", "seconds": 60})),
        ("DELETE", "/api/v1/servers/web-01/credential", json!({})),
        ("POST", "/api/v1/channels/prod/publications", json!({"files": ["shop-1.0.0-1.noarch.rpm"]})),
        (
            "POST",
            "/api/v1/promotions",
            json!({"name": "shop", "version": "1.0.0", "from": "dev", "to": "prod"}),
        ),
        (
            "POST",
            "/api/v1/changes",
            json!({"documents": {"roles/web.yaml": ESTATE[1].1.replace("8080", "81")}, "message": "", "preview": false}),
        ),
    ] {
        let body = serde_json::to_vec(&body).unwrap();
        let json = [("content-type", "application/json")];
        let detail = plane.ask(method, path, &elsewhere[3], &json, &body).problem(403);
        assert!(detail.contains("admin:mars/rover"), "{method} {path}: {detail}");
    }
    assert_eq!(plane.get("/api/v1/servers", &elsewhere[3]).ok()["items"], json!([]));
}

#[test]
fn whoami_names_the_principal_and_its_grants() {
    let (plane, _) = ControlPlane::with_shop();
    let token = plane.create_token("ci", &["developer:staging", "viewer:*/shop"]);
    let me = plane.get("/api/v1/whoami", &token).ok();
    assert_eq!(
        me,
        json!({"kind": "token", "name": "token ci", "grants": ["developer:staging", "viewer:*/shop"]})
    );
    let server = plane.get("/api/v1/whoami", &plane.credential("web-01")).ok();
    assert_eq!(server, json!({"kind": "server", "name": "server web-01", "grants": []}));
    let output = plane.punch(&["whoami"]).ok();
    assert!(output.contains(&local_administrator()) && output.contains("grant admin"), "{output}");
}

#[test]
fn refusals_are_problem_details_that_say_what_to_do() {
    let plane = ControlPlane::start();
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
    plane.get("/api/v1/roles/Not%20a%20name", &admin).problem(404);
    let detail = plane.get("/api/v1/roles/web", &admin).problem(404);
    assert!(detail.contains("there is no role `web`"), "{detail}");
    let anonymous = plane.get("/api/v1/servers", "");
    assert!(anonymous.problem(401).contains("punch token create"));
    assert_eq!(anonymous.header("www-authenticate"), "Bearer");
    let basic = plane.ask("GET", "/api/v1/servers", "", &[("authorization", "Basic YTpi")], &[]);
    assert!(basic.problem(401).contains("Bearer TOKEN"));
}

#[test]
fn matching_etag_returns_304() {
    let (plane, _) = ControlPlane::with_shop();
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
fn bearer_scheme_is_accepted_in_any_case() {
    let plane = ControlPlane::start();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let authorization = format!("{scheme} {}", plane.admin());
        let reply = plane.ask("GET", "/api/v1/servers", "", &[("authorization", &authorization)], &[]);
        assert_eq!(reply.status, 200, "{scheme}");
    }
}

#[test]
fn names_that_nothing_can_have_are_answered_with_404_and_not_repeated_whole() {
    let plane = ControlPlane::start();
    let token = plane.token("admin");
    let long = "a".repeat(5_000);
    for path in ["servers/{}", "servers/{}/node", "roles/{}", "components/{}/versions"] {
        let reply = plane.get(&format!("/api/v1/{}", path.replace("{}", &long)), &token);
        let detail = reply.problem(404);
        assert!(detail.len() < 400, "{path}: {} bytes", detail.len());
    }
}
