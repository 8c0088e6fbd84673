//! Starting, ending, ports, limits, sizes.

use crate::skip::skip;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use crate::control_plane::{ControlPlane, local_administrator, program, result_of};

#[test]
fn serve_makes_what_is_missing_and_tells_where_it_is() {
    let mut plane = ControlPlane::empty();
    let ready = plane.path("ready");
    plane.serve(&["--ready-file", ready.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(ready).unwrap().trim(), plane.url);
    assert_eq!(plane.get("/api/v1/health", "").ok()["status"], "ok");
    for (path, mode) in [
        ("", 0o700),
        ("geppetto.db", 0o600),
        ("geppetto.sock", 0o600),
        ("keys/node.key", 0o600),
        ("keys/store.key", 0o600),
    ] {
        let found = fs::metadata(plane.data().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
    assert_eq!(plane.end("-TERM"), Some(0));
    for path in ["serve.url", "geppetto.sock"] {
        assert!(!plane.data().join(path).exists(), "{path}");
    }
}

#[test]
fn service_manager_is_told_when_it_is_ready() {
    let mut plane = ControlPlane::empty();
    let path = plane.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plane.serve(&["--notify-socket", path.to_str().unwrap()]);
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    let unit = include_str!("../../../../library/geppetto/geppetto.service");
    assert!(unit.contains("\nType=notify\n"), "the packaged service waits for it");
}

#[test]
fn database_without_its_key_is_refused_unchanged() {
    let (mut plane, _) = ControlPlane::with_shop();
    assert_eq!(plane.end("-TERM"), Some(0));
    let database = fs::read(plane.data().join("geppetto.db")).unwrap();
    let holds = |text: &[u8]| database.windows(text.len()).any(|window| window == text);
    assert!(holds(b"sealed1:") && !holds(b"hunter2"), "a copy of the database alone shows no secret");
    let key = plane.data().join("keys/store.key");
    fs::rename(&key, plane.path("store.key")).unwrap();
    let message = plane.run(&["init"]).failed(1);
    assert!(message.contains("store.key` is missing") && message.contains("backup"), "{message}");
    assert!(!key.exists(), "no new key stands where the old one is to be put back");
    fs::write(&key, fs::read(plane.data().join("keys/node.key")).unwrap()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let message = plane.run(&["init"]).failed(1);
    assert!(message.contains("was sealed with another key") && message.contains("backup"), "{message}");
    fs::rename(plane.path("store.key"), &key).unwrap();
    plane.serve(&[]);
    assert!(plane.punch(&["server", "node", "web-01"]).ok().contains("hunter2"));
}

#[test]
fn restarted_control_plane_keeps_its_keys_and_tokens() {
    let mut plane = ControlPlane::start();
    let (admin, key) = (plane.admin(), fs::read(plane.data().join("keys/node.key")).unwrap());
    assert_eq!(plane.end("-INT"), Some(0));
    plane.serve(&[]);
    assert_eq!(fs::read(plane.data().join("keys/node.key")).unwrap(), key);
    plane.get("/api/v1/servers", &admin).ok();
}

#[test]
fn port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let plane = ControlPlane::empty();
    let message = plane.run(&["serve", "--listen", &address]).failed(1);
    // The program that listens is this test.
    let expected = format!("pid {}) listens on {address} already", std::process::id());
    assert!(message.contains("another program (") && message.contains(&expected), "{message}");
    assert!(message.contains("--listen"), "{message}");
    assert!(!plane.data().exists(), "a control plane that cannot serve leaves nothing behind");
}

#[test]
fn port_of_another_control_plane_is_said_with_its_process_and_its_data_folder() {
    let first = ControlPlane::start();
    let second = ControlPlane::empty();
    let address = first.url.strip_prefix("http://").unwrap();
    let message = second.run(&["serve", "--listen", address]).failed(1);
    let expected = format!(
        "another control plane (pid {}, data folder {}) listens on {address} already",
        first.pid(),
        first.data().display()
    );
    assert!(message.contains(&expected), "{message}");
    assert!(!second.data().exists());
}

#[test]
fn data_folder_that_is_served_already_is_said_before_its_port() {
    let first = ControlPlane::start();
    let address = first.url.strip_prefix("http://").unwrap();
    // With the same options as the first, a second one meets its folder and its port.
    for listen in [address, "127.0.0.1:0"] {
        let message = first.run(&["serve", "--listen", listen]).failed(1);
        let expected = format!(
            "another control plane serves from this data folder, `{}`, pid {}, at {}",
            first.data().display(),
            first.pid(),
            first.url
        );
        assert!(message.contains(&expected), "{message}");
    }
    first.get("/api/v1/health", "").ok();
}

#[test]
fn folder_of_another_user_is_said_with_its_owner_and_what_to_type() {
    if !nix::unistd::geteuid().is_root() {
        skip("other users can be tried by root only");
        return;
    }
    let plane = ControlPlane::empty();
    // The program where every user can start it.
    let program = plane.path("geppetto");
    fs::copy(env!("CARGO_BIN_EXE_geppetto"), &program).unwrap();
    for open in [plane.path(""), program.clone()] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    plane.run(&["init"]).ok();
    for verb in [&["init"][..], &["serve", "--listen", "127.0.0.1:0"], &["backup", "--out", "/tmp/never"]] {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
        command.env_remove("GEPPETTO_DATABASE").arg("--data").arg(plane.data()).args(verb);
        let message = result_of(command.output().unwrap()).failed(1);
        let (shown, verb) = (plane.data().display().to_string(), verb[0]);
        assert!(
            message.contains(&format!("`{shown}` belongs to user root, and user nobody may not use it")),
            "{message}"
        );
        assert!(message.contains(&format!("`sudo -u root geppetto {verb} ...`")), "{message}");
    }
}

#[test]
fn database_that_nobody_listens_for_is_refused_at_once_with_the_cause() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plane = ControlPlane::empty();
    let url = format!("postgres://geppetto@{closed}/geppetto");
    let mut command = std::process::Command::new("timeout");
    // Connecting may take fifteen seconds where something answers.
    command.args(["8", env!("CARGO_BIN_EXE_geppetto"), "init", "--data"]).arg(plane.data());
    let output = command.args(["--database", &url]).output().unwrap();
    let message = result_of(output).failed(1);
    assert!(message.contains("could not be opened") && message.contains("Connection refused"), "{message}");
    assert!(message.contains("check that PostgreSQL runs and listens there"), "{message}");
}

#[test]
fn backup_of_a_folder_without_control_plane_names_the_folder_once() {
    let plane = ControlPlane::empty();
    let out = plane.path("backup");
    for make in [false, true] {
        if make {
            fs::create_dir(plane.data()).unwrap();
        }
        let message = plane.run(&["backup", "--out", out.to_str().unwrap()]).failed(1);
        assert_eq!(message.matches(plane.data().to_str().unwrap()).count(), 1, "{message}");
        assert!(
            message.contains(if make { "it has no `keys/store.key`" } else { "there is no such folder" }),
            "{message}"
        );
    }
}

#[test]
fn database_that_no_control_plane_has_started_with_is_said_to_be_never_used() {
    let plane = ControlPlane::empty();
    plane.run(&["init"]).ok();
    let database = plane.data().join("geppetto.db");
    for left in ["geppetto.db-wal", "geppetto.db-shm"] {
        let _ = fs::remove_file(plane.data().join(left));
    }
    fs::write(&database, "").unwrap();
    let out = plane.path("backup");
    let message = plane.run(&["backup", "--out", out.to_str().unwrap()]).failed(1);
    assert!(message.contains("no control plane has used the database"), "{message}");
}

#[test]
fn unusable_advertised_address_is_refused_at_start() {
    let plane = ControlPlane::empty();
    for wrong in ["geppetto.example.org", "ftp://geppetto.example.org", "http://"] {
        let message = plane.run(&["serve", "--listen", "127.0.0.1:0", "--advertise", wrong]).failed(2);
        assert!(message.contains("write it like https://geppetto.example.org"), "{wrong}: {message}");
    }
    assert!(!plane.data().exists());
}

#[test]
fn data_folder_that_cannot_be_made_is_named() {
    let plane = ControlPlane::empty();
    fs::write(plane.path("file"), "").unwrap();
    let inside = plane.path("file/data");
    let output = program().args(["init", "--data"]).arg(&inside).output().unwrap();
    let message = result_of(output).failed(1);
    assert!(message.contains(inside.to_str().unwrap()) && message.contains("--data"), "{message}");
}

#[test]
fn wildcard_listener_advertises_the_host_name_and_speaks_tls_unless_a_proxy_does() {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (options, scheme) in [(&[][..], "https"), (&["--behind-proxy"], "http")] {
        let mut plane = ControlPlane::empty();
        plane.serve(&[&["--listen", "0.0.0.0:0"], options].concat());
        assert!(plane.url.starts_with(&format!("{scheme}://{}:", name.trim())), "{}", plane.url);
    }
}

#[test]
fn socket_serves_the_local_administrator_and_is_replaced_after_a_kill() {
    let mut plane = ControlPlane::start();
    let message = plane.punch(&["whoami"]).ok();
    assert!(message.contains(&local_administrator()), "{message}");
    // A token over the socket is that token.
    let token = plane.create_token("ci", &["viewer"]);
    let mut stream = std::os::unix::net::UnixStream::connect(plane.data().join("geppetto.sock")).unwrap();
    write!(
        stream,
        "GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("token ci"), "{answer}");
    // A second control plane on the same folder does not take the socket away.
    let second = plane.run(&["serve", "--listen", "127.0.0.1:0"]).failed(1);
    assert!(second.contains("another control plane serves from this data folder"), "{second}");
    plane.end("-KILL");
    assert!(plane.data().join("geppetto.sock").exists());
    plane.serve(&[]);
    plane.punch(&["whoami"]).ok();
}

#[test]
fn other_users_are_refused_by_the_socket() {
    if !nix::unistd::geteuid().is_root() {
        skip("other users can be tried by root only");
        return;
    }
    let plane = ControlPlane::start();
    let socket = plane.data().join("geppetto.sock");
    // Even where the modes were opened by mistake, the kernel names the user.
    for path in [&plane.path(""), &plane.data(), &socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let ask = |user: &str| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", user, "--regid", user, "--clear-groups", "curl", "-sS", "--unix-socket"]);
        command.arg(&socket).arg("http://localhost/api/v1/whoami");
        result_of(command.output().unwrap())
    };
    assert!(ask("0").out.contains("local administrator (uid 0)"));
    let refused = ask("65534");
    assert!(refused.code != 0 && refused.out.is_empty(), "{}{}", refused.out, refused.err);
    assert!(plane.log().contains("uid=65534"), "{}{}", refused.err, plane.log());
}

#[test]
fn requests_in_progress_are_answered_before_the_end() {
    let mut plane = ControlPlane::start();
    let address = plane.url.strip_prefix("http://").unwrap().to_owned();
    let mut slow = TcpStream::connect(&address).unwrap();
    let body = br#"{"token":"x","server":"web-01"}"#;
    write!(
        slow,
        "POST /api/v1/join HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    slow.write_all(&body[..5]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let rest = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        slow.write_all(&body[5..]).unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        answer
    });
    assert_eq!(plane.end("-TERM"), Some(0));
    let answer = rest.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn heads_without_measure_and_bodies_without_measure_are_refused() {
    let plane = ControlPlane::start();
    let address = plane.url.strip_prefix("http://").unwrap();
    let mut greedy = TcpStream::connect(address).unwrap();
    write!(greedy, "GET /api/v1/health HTTP/1.1\r\nhost: x\r\nx: ").unwrap();
    // The server may hang up before all of it is sent.
    let _ = greedy.write_all(&vec![b'a'; 1 << 20]);
    let mut answer = Vec::new();
    let _ = greedy.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));

    let json = [("content-type", "application/json")];
    let admin = plane.admin();
    for (path, token, bytes) in [
        ("/api/v1/join", "", 16 << 10),
        ("/api/v1/promotions", &admin, 16 << 10),
        ("/api/v1/channels/dev/publications", &admin, 1 << 20),
        ("/api/v1/changes", &admin, 32 << 20),
    ] {
        let large = vec![b' '; bytes + 1];
        let detail = plane.ask("POST", path, token, &json, &large).problem(413);
        assert!(detail.contains("openapi.json"), "{detail}");
        plane.ask("POST", path, token, &json, &large[1..]).problem(400);
    }
    plane.get("/api/v1/health", "").ok();
}

#[test]
fn idle_control_plane_fits_in_sixty_megabytes() {
    let (plane, _) = ControlPlane::with_shop();
    plane.get("/api/v1/servers/web-01/node", &plane.admin());
    let status = fs::read_to_string(format!("/proc/{}/status", plane.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 60_000, "{kilobytes} kB");
}

#[test]
fn log_holds_no_token() {
    let mut plane = ControlPlane::empty();
    plane.serve(&["--log", "debug"]);
    let admin = plane.admin();
    plane.get("/api/v1/servers", &admin).ok();
    plane.get("/api/v1/nothing", &admin).problem(404);
    plane.end("-TERM");
    let log = plane.log();
    assert!(log.contains("/api/v1/nothing"), "{log}");
    assert!(!log.contains(admin.rsplit('_').next().unwrap()), "{log}");
}

#[test]
fn documentation_is_served_whole_without_a_token_and_every_link_in_it_leads_somewhere() {
    let plane = ControlPlane::start();
    let (mut waiting, mut seen) = (vec!["/docs".to_owned()], std::collections::BTreeMap::new());
    let mut wanted = Vec::new();
    while let Some(address) = waiting.pop() {
        if seen.contains_key(&address) {
            continue;
        }
        let page = plane.get(&address, "");
        assert_eq!(page.status, 200, "{address}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{address}");
        let text = page.text();
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { address.clone() } else { file.to_owned() };
            assert!(target.starts_with("/docs"), "{address} leads to {link}");
            wanted.push((address.clone(), target.clone(), fragment.to_owned()));
            waiting.push(target);
        }
        assert!(!text.contains("<script"), "{address}");
        seen.insert(address, text);
    }
    for (from, target, fragment) in wanted {
        let is_there = fragment.is_empty() || seen[&target].contains(&format!("id=\"{fragment}\""));
        assert!(is_there, "{from} leads to #{fragment} of {target}, which has no such heading");
    }
    // Every page of the folder is reached.
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for kind in ["tutorial", "how-to", "reference", "explanation"] {
        for entry in std::fs::read_dir(docs.join(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(page) = name.strip_suffix(".md") else { continue };
            assert!(seen.contains_key(&format!("/docs/{kind}/{page}")), "{kind}/{name} is not served");
        }
    }
    // In the order of the index: what a newcomer reads first comes first.
    let list = &seen["/docs/glossary"];
    let place = |page: &str| list.find(&format!("href=\"/docs/{page}\"")).unwrap();
    assert!(place("tutorial/first-hour") < place("tutorial/existing-application"));
    let again =
        plane.ask("GET", "/docs", "", &[("if-none-match", plane.get("/docs", "").header("etag"))], &[]);
    assert_eq!(again.status, 304);
    for file in ["openapi.json", "schemas/component.schema.json"] {
        let address = format!("/docs/reference/{file}");
        assert!(seen.contains_key(&address), "no page leads to {address}");
        let served = plane.get(&address, "");
        assert_eq!(served.header("content-type"), "application/json");
        assert_eq!(served.text(), fs::read_to_string(docs.join("reference").join(file)).unwrap());
    }
    assert!(seen["/docs/decisions"].contains("href=\"/docs/decisions/0004-ureq-in-punch\""));
    let absent = plane.get("/docs/how-to/../../etc/passwd", "");
    assert_eq!((absent.status, absent.header("content-type")), (404, "text/html; charset=utf-8"));
}
