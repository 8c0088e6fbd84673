//! Background jobs and the stream of events.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, ESTATE};

#[test]
fn job_is_created_run_listed_and_tried_again() {
    let (plane, _) = ControlPlane::with_shop();
    let admin = plane.admin();
    let job = plane.post("/api/v1/jobs", &admin, &json!({"kind": "rebuild-channel", "channel": "prod"}));
    assert_eq!(job.status, 202);
    let id = job.ok()["id"].as_u64().unwrap();
    let message = plane.punch(&["job", "show", &id.to_string(), "--follow"]);
    assert!(message.err.contains("the metadata of channel prod is written anew"), "{}", message.err);
    message.ok();
    let done = plane.get(&format!("/api/v1/jobs/{id}"), &admin).ok();
    assert_eq!(
        (&done["state"], &done["created_by"], &done["attempt"]),
        (&json!("done"), &json!("token admin"), &json!(1))
    );
    let again = plane.post(&format!("/api/v1/jobs/{id}/retry"), &admin, &json!({})).ok();
    assert_ne!(again["id"], done["id"]);
    let detail = plane.post(&format!("/api/v1/jobs/{id}/cancel"), &admin, &json!({})).problem(409);
    assert!(detail.contains("is done already"), "{detail}");
    let check = plane.punch(&["repository", "check", "--json"]).ok();
    let check: Value = serde_json::from_str(&check).unwrap();
    assert_eq!((&check["state"], &check["result"]), (&json!("done"), &json!("the repository is whole")));
    let list = plane.punch(&["job", "list"]).ok();
    assert!(list.contains("rebuild-channel") && list.contains("prune-history"), "{list}");
    let dead = plane.data().join("repository/incoming/upload-dead");
    std::fs::write(&dead, "half").unwrap();
    let sweep =
        plane.post("/api/v1/jobs", &admin, &json!({"kind": "remove-leftovers"})).ok()["id"].to_string();
    plane.punch(&["job", "show", &sweep, "--follow"]).ok();
    assert!(!dead.exists(), "what a killed upload left is removed");
    // The audit log names who asked for it.
    let log = plane.get("/api/v1/audit?limit=20", &admin).text();
    assert!(log.contains("\"rebuild\"") && log.contains("create-job"), "{log}");
    for (wrong, part) in [
        (json!({"kind": "rebuild"}), "there are check-repository"),
        (json!({"kind": "rebuild-channel"}), "needs a `channel`"),
        (json!({"kind": "check-repository", "keep": 3}), "does not take"),
    ] {
        let detail = plane.post("/api/v1/jobs", &admin, &wrong).problem(422);
        assert!(detail.contains(part), "{detail}");
    }
    let before = plane.get("/api/v1/jobs", &admin).ok()["items"].as_array().unwrap().len();
    let refused = plane.punch(&["repository", "rebuild", "prd"]).failed(1);
    assert!(refused.contains("there is no channel `prd`; did you mean `prod`?"), "{refused}");
    let unknown = json!({"kind": "rebuild-channel", "channel": "prd"});
    plane.post("/api/v1/jobs", &admin, &unknown).problem(404);
    let after = plane.get("/api/v1/jobs", &admin).ok()["items"].as_array().unwrap().len();
    assert_eq!(after, before, "no job is made for a channel that does not exist");
    plane.get("/api/v1/jobs/999", &admin).problem(404);
}

/// The events that a listener with this token gets, from now on.
pub(crate) fn listen(plane: &ControlPlane, token: &str) -> impl Iterator<Item = Value> + use<> {
    let mut stream = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    let head = lines.next().unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok())
}

#[test]
fn listener_hears_what_it_may_see_until_its_token_is_revoked() {
    let (plane, _) = ControlPlane::with_shop();
    let mut all = listen(&plane, &plane.token("viewer"));
    let mut elsewhere = listen(&plane, &plane.create_token("mars", &["viewer:mars"]));
    for stream in [&mut all as &mut dyn Iterator<Item = Value>, &mut elsewhere] {
        assert_eq!(stream.next().unwrap(), json!({"kind": "resynchronize"}));
    }
    plane.get("/api/v1/servers/web-01/node", &plane.admin());
    let generated = json!({"kind": "node-generated", "server": "web-01", "generation": 1});
    assert_eq!(all.find(|event| event["kind"] == "node-generated").unwrap(), generated);
    let changed = ESTATE.map(|(path, text)| (path, text.replace("8080", "9090")));
    plane.import(&changed.each_ref().map(|(path, text)| (*path, text.as_str()))).ok();
    let committed = json!({"kind": "revision-committed", "revision": 2});
    assert_eq!(all.find(|event| event["kind"] == "revision-committed").unwrap(), committed);
    // Nothing of a server of another environment, and no job.
    assert_eq!(elsewhere.next().unwrap(), committed);
    plane.punch(&["token", "revoke", "viewer-1"]).ok();
    let rest: Vec<Value> = all.collect();
    assert!(rest.iter().all(|event| event["kind"] == "job-changed"), "{rest:?}");
}

#[test]
fn stream_of_events_does_not_keep_the_control_plane_from_ending() {
    let mut plane = ControlPlane::start();
    let mut events = listen(&plane, &plane.admin());
    events.next().unwrap();
    assert_eq!(plane.end("-TERM"), Some(0));
    assert_eq!(events.find(|event| event["kind"] != "job-changed"), None);
}
