//! Two control planes on one PostgreSQL and one repository folder, behind a TCP load balancer, one killed under load.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _, copy},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use model::format::node;
use serde_json::{Value, json};

use crate::{
    control_plane::{ControlPlane, ESTATE},
    jobs::listen,
    postgres_cluster,
};

/// How many programs change the estate, each a role of its own.
const WRITERS: usize = 4;
/// How many servers ask for their node files.
const SERVERS: usize = 6;
/// How long the load lasts, with the kill in its middle.
const LOAD: Duration = Duration::from_secs(8);

/// A TCP load balancer: each connection goes to the next control plane that accepts one.
fn balance(backends: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let next = AtomicUsize::new(0);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let first = next.fetch_add(1, Ordering::Relaxed);
            let connected = (0..backends.len())
                .find_map(|n| TcpStream::connect(&backends[(first + n) % backends.len()]).ok());
            let Some(server) = connected else { continue };
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server.try_clone().unwrap(), client.try_clone().unwrap()),
            ] {
                thread::spawn(move || {
                    let _ = copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}

/// One request through the balancer, or nothing when the connection broke: the client does not know what happened.
fn request(address: &str, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
    (body.len() == length).then(|| (status, body.to_owned()))
}

/// What was acknowledged: the revision of each change, by role and turn.
type Acknowledged = Mutex<BTreeMap<u64, (usize, usize)>>;
/// The digest of each generation of each server that anybody ever got.
type Generations = Mutex<BTreeMap<(usize, u64), String>>;

fn write_roles(writer: usize, address: &str, token: &str, end: &AtomicBool, acknowledged: &Acknowledged) {
    for turn in 0.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let port = 1000 * (writer + 1) + turn % 1000;
        let text = format!(
            "format: geppetto/role/1\ndescription: turn {turn}\ncomponents: {{shop: '*'}}\n\
             values: {{shop: {{http_port: {port}, password: hunter2}}}}\n"
        );
        let path = format!("roles/r{writer}.yaml");
        let change =
            json!({"documents": {path: text}, "message": format!("{writer} {turn}"), "preview": false});
        match request(address, "POST", "/api/v1/changes", token, &change.to_string()) {
            Some((200, body)) => {
                let result: Value = serde_json::from_str(&body).unwrap();
                // Absent if an attempt whose answer was lost had been committed.
                if let Some(revision) = result["revision"].as_u64() {
                    let before = acknowledged.lock().unwrap().insert(revision, (writer, turn));
                    assert_eq!(before, None, "revision {revision} was given twice");
                }
            }
            Some((409, body)) => assert!(body.contains("meanwhile") || body.contains("committed"), "{body}"),
            Some((status, body)) => assert!(status >= 500, "{status}: {body}"),
            None => {}
        }
    }
}

fn read_nodes(server: usize, address: &str, token: &str, end: &AtomicBool, generations: &Generations) {
    let mut newest = 0;
    while !end.load(Ordering::Relaxed) {
        let path = format!("/api/v1/servers/s{server}/node");
        match request(address, "GET", &path, token, "") {
            Some((200, text)) => {
                let node = node::parse_node_yaml("node", &text).unwrap();
                assert!(
                    node.generation >= newest,
                    "s{server} went back from {newest} to {}",
                    node.generation
                );
                newest = node.generation;
                let digest = model::node::digest_node_content(&node).to_string();
                let known = generations.lock().unwrap().insert((server, newest), digest.clone());
                assert!(
                    known.is_none_or(|known| known == digest),
                    "generation {newest} of s{server} is two things"
                );
            }
            Some((409, body)) => assert!(body.contains("faster"), "{body}"),
            Some((status, body)) => assert!(status >= 500, "{status}: {body}"),
            None => {}
        }
    }
}

#[test]
fn killed_control_plane_loses_no_acknowledged_write_and_no_generation_is_given_twice() {
    let Some(database) = postgres_cluster::create_database() else { return };
    let repository = tempfile::tempdir().unwrap();
    let arguments =
        ["--database", &database, "--repository", repository.path().to_str().unwrap(), "--log", "warn"];
    let mut first = ControlPlane::start_with(&arguments);
    let mut second = ControlPlane::empty();
    second.copy_keys_of(&first);
    second.serve(&arguments);

    let key = first.trusted_key();
    first.publish_shop("1.0.0", &key, "prod");
    let mut files: Vec<(String, String)> = vec![(ESTATE[0].0.to_owned(), ESTATE[0].1.to_owned())];
    for writer in 0..WRITERS {
        files.push((format!("roles/r{writer}.yaml"), ESTATE[1].1.to_owned()));
    }
    for server in 0..SERVERS {
        let text = ESTATE[2].1.replace("[web]", &format!("[r{}]", server % WRITERS));
        files.push((format!("servers/s{server}.yaml"), text));
    }
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    second.import(&borrowed).ok();
    let (operator, viewer) = (first.token("operator"), first.admin());

    let addresses = [&first, &second].map(|plane| plane.url.strip_prefix("http://").unwrap().to_owned());
    let address = balance(addresses.to_vec());
    let (end, acknowledged, generations) =
        (AtomicBool::new(false), Acknowledged::default(), Generations::default());
    let killed_at = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (address, operator, end, acknowledged) = (&address, &operator, &end, &acknowledged);
            scope.spawn(move || write_roles(writer, address, operator, end, acknowledged));
        }
        for server in 0..SERVERS {
            let (address, viewer, end, generations) = (&address, &viewer, &end, &generations);
            scope.spawn(move || read_nodes(server, address, viewer, end, generations));
        }
        thread::sleep(LOAD / 3);
        let killed_at = acknowledged.lock().unwrap().len();
        first.end("-KILL");
        // A publication through the one that is left reaches the repository folder of both.
        second.publish_shop_as(&viewer, "1.1.0", &key, "prod");
        thread::sleep(LOAD / 3);
        first.serve(&["--listen", &addresses[0]].into_iter().chain(arguments).collect::<Vec<_>>());
        thread::sleep(LOAD / 3);
        end.store(true, Ordering::Relaxed);
        killed_at
    });

    let acknowledged = acknowledged.into_inner().unwrap();
    println!("{killed_at} changes before the kill, {} in all", acknowledged.len());
    assert!(killed_at > 5 && acknowledged.len() > killed_at + 5, "{killed_at} of {}", acknowledged.len());
    // Both answer alike, and with every acknowledged change.
    for plane in [&first, &second] {
        let mut found = BTreeMap::new();
        let mut path = "/api/v1/revisions?limit=1000".to_owned();
        loop {
            let page = plane.get(&path, &viewer).ok();
            for revision in page["items"].as_array().unwrap() {
                let message = revision["message"].as_str().unwrap().to_owned();
                found.insert(revision["number"].as_u64().unwrap(), message);
            }
            let Some(next) = page["next"].as_u64() else { break };
            path = format!("/api/v1/revisions?limit=1000&before={next}");
        }
        assert_eq!(found.len() as u64, *found.keys().last().unwrap(), "no number is missing");
        for (revision, (writer, turn)) in &acknowledged {
            assert_eq!(found[revision], format!("{writer} {turn}"), "revision {revision}");
        }
    }
    for server in 0..SERVERS {
        let text =
            |plane: &ControlPlane| plane.get(&format!("/api/v1/servers/s{server}/node"), &viewer).text();
        let (one, other) = (text(&first), text(&second));
        assert_eq!(one, other);
        assert!(one.contains("1.1.0-1"), "{one}");
    }
    let generations = Arc::new(generations.into_inner().unwrap());
    for ((server, generation), digest) in generations.iter().rev().take(40) {
        let text = second.get(&format!("/api/v1/servers/s{server}/node/{generation}"), &viewer).text();
        assert_eq!(
            &model::node::digest_node_content(&node::parse_node_yaml("node", &text).unwrap()).to_string(),
            digest
        );
    }
    // What is committed at one is heard at the other, and jobs are done by the one that is left.
    let mut events = listen(&second, &viewer);
    events.next().unwrap();
    let change = json!({"documents": {"roles/last.yaml": "format: geppetto/role/1\n"}, "message": "", "preview": false});
    let last = first.post("/api/v1/changes", &operator, &change).ok()["revision"].clone();
    let heard = events.find(|event| event["kind"] == "revision-committed").unwrap();
    assert_eq!(heard["revision"], last);
    first.end("-TERM");
    second.punch(&["repository", "check"]).ok();
}

#[test]
fn control_plane_with_other_keys_is_refused_by_the_database() {
    let Some(database) = postgres_cluster::create_database() else { return };
    let first = ControlPlane::start_with(&["--database", &database]);
    let other = ControlPlane::empty();
    let refused = other.run(&["init", "--database", &database]).failed(1);
    assert!(
        refused.contains("the store key") && refused.contains("copy it from another control plane"),
        "{refused}"
    );
    assert!(!other.data().join("keys/store.key").exists());
    other.copy_keys_of(&first);
    other.run(&["init", "--database", &database]).ok();
    let wrong = other.run(&["init", "--database", "mysql://ann:hunter2@db/geppetto"]).failed(1);
    assert!(wrong.contains("postgres://") && !wrong.contains("hunter2"), "{wrong}");
    let away =
        other.run(&["init", "--database", "postgres://geppetto:hunter2@127.0.0.1:1/geppetto"]).failed(1);
    assert!(away.contains("postgres://geppetto@127.0.0.1:1/geppetto") && !away.contains("hunter2"), "{away}");
}
