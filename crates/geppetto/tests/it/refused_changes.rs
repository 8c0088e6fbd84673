//! What a change that is refused costs: its author, and everybody else.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;

#[test]
fn thousands_of_faults_are_answered_with_the_first_thousand_and_the_number_of_the_others() {
    let (plane, _) = ControlPlane::with_shop();
    let refusal = plane.post("/api/v1/changes", &plane.admin(), &role_with_unknown_keys(2_500));
    let detail = refusal.problem(422);
    assert!(detail.contains("roles/web.yaml:6:"), "{detail}");
    let faults = refusal.json()["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 1_001);
    assert!(faults[..1_000].iter().all(|fault| fault["line"].is_u64()), "each is located: {detail}");
    assert_eq!(faults[1_000]["message"], "1500 more errors and warnings are not shown; correct these first");
}

#[test]
fn time_of_a_refusal_is_linear_in_its_faults() {
    let (plane, _) = ControlPlane::with_shop();
    let admin = plane.admin();
    let cpu_ms_of_refusal = |keys| {
        let before = cpu_ms(&plane);
        plane.post("/api/v1/changes", &admin, &role_with_unknown_keys(keys)).problem(422);
        cpu_ms(&plane) - before
    };
    cpu_ms_of_refusal(100);
    let (one, four) = (cpu_ms_of_refusal(5_000), cpu_ms_of_refusal(20_000));
    // Quadratic would be sixteen times as much.
    assert!(four < 8 * one.max(50), "{one} ms for 5,000 unknown keys, {four} ms for 20,000");
}

#[test]
fn refused_change_in_progress_does_not_delay_another() {
    let (plane, _) = ControlPlane::with_shop();
    let admin = plane.admin();
    let refused = servers_with_unknown_keys(3_000, 60);
    thread::scope(|scope| {
        let before = cpu_ms(&plane);
        let slow = scope.spawn(|| plane.post("/api/v1/changes", &admin, &refused));
        while cpu_ms(&plane) - before < 300 {
            assert!(!slow.is_finished(), "the refused change must take longer for this test");
            thread::sleep(Duration::from_millis(10));
        }
        let role = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {http_port: 81, password: hunter2}}\n";
        let good = json!({"message": "", "preview": false, "documents": {"roles/web.yaml": role}});
        assert_eq!(plane.post("/api/v1/changes", &admin, &good).ok()["revision"], 2);
        assert!(!slow.is_finished(), "the refused change must take longer for this test");
        slow.join().unwrap().problem(422);
    });
}

#[test]
fn work_for_a_change_ends_soon_after_its_client_is_gone() {
    let (plane, _) = ControlPlane::with_shop();
    let body = serde_json::to_vec(&servers_with_unknown_keys(3_000, 60)).unwrap();
    let admin = plane.admin();
    let before = cpu_ms(&plane);
    plane.post("/api/v1/changes", &admin, &serde_json::from_slice(&body).unwrap()).problem(422);
    let whole = cpu_ms(&plane) - before;

    let before = cpu_ms(&plane);
    let mut stream = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
    write!(
        stream,
        "POST /api/v1/changes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {admin}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    // As long as the work goes on, it uses the processor.
    let mut last = before;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = cpu_ms(&plane);
        if now - last < 50 {
            break;
        }
        last = now;
    }
    let cut_off = last - before;
    assert!(cut_off < whole * 3 / 4, "{cut_off} ms after the client was gone, {whole} ms for all of it");
}

#[test]
fn changes_that_one_token_sends_slowly_leave_room_for_those_of_others() {
    let (plane, _) = ControlPlane::with_shop();
    let slow = plane.token("operator");
    let begin = |_| {
        let mut stream = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
        write!(
            stream,
            "POST /api/v1/changes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {slow}\r\ncontent-length: 1000\r\n\r\n{{"
        )
        .unwrap();
        stream
    };
    let held: Vec<TcpStream> = (0..6).map(begin).collect();
    thread::sleep(Duration::from_millis(500));
    let role = "format: geppetto/role/1\ndescription: of somebody else\n";
    let good = json!({"message": "", "preview": false, "documents": {"roles/other.yaml": role}});
    assert_eq!(plane.post("/api/v1/changes", &plane.admin(), &good).ok()["revision"], 2);
    drop(held);
}

/// The processor time that the control plane has used so far.
fn cpu_ms(plane: &ControlPlane) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", plane.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // In hundredths of a second: user and system time.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

fn role_with_unknown_keys(count: usize) -> Value {
    json!({"message": "", "preview": false, "documents": {"roles/web.yaml": format!(
        "format: geppetto/role/1\ncomponents: {{shop: '*'}}\nvalues:\n  shop:\n    password: hunter2\n{}",
        unknown_keys(count)
    )}})
}

/// Every server has keys of its own that no component declares.
fn servers_with_unknown_keys(servers: usize, keys: usize) -> Value {
    let text = format!(
        "format: geppetto/server/2\nenvironment: prod\nroles: [web]\nvalues:\n  shop:\n{}",
        unknown_keys(keys)
    );
    let documents = (0..servers).map(|n| (format!("servers/web-{n:05}.yaml"), text.clone().into()));
    json!({"message": "", "preview": false, "documents": documents.collect::<serde_json::Map<String, Value>>()})
}

fn unknown_keys(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "    key{n}: 1");
        text
    })
}
