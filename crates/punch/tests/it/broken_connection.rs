//! The connection to the control plane breaks at any byte: after the next run with a connection the host is like one that was
//! made in a single run, and the control plane knows.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    control_plane::ControlPlane,
    histories::{SeededNumbers, differences_between_hosts, history_count},
    skip::has_tool,
    test_folder::TestFolder,
};

const RESTORE: [&str; 3] = ["restore", "--root", "root"];

/// Stands between a host and its control plane, and lets only so many bytes through.
struct BreakingConnection {
    port: u16,
    /// How many bytes still go through, in both directions together.
    left: Arc<AtomicU64>,
}

impl BreakingConnection {
    fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let connection = Self { port, left: Arc::clone(&left) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nothing goes through any more: it is closed at once.
                if left.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let streams = [&client, &server].map(|stream| stream.try_clone().unwrap());
                open.lock().unwrap().extend(streams);
                for (from, to) in
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    let (left, open) = (Arc::clone(&left), Arc::clone(&open));
                    thread::spawn(move || forward(from, to, &left, &open));
                }
            }
        });
        connection
    }

    fn let_through(&self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

/// Forwards one direction; when no more goes through, all connections break.
fn forward(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, open: &Mutex<Vec<TcpStream>>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let before = left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(read as u64)))
            .unwrap();
        let passes = usize::try_from(before).unwrap_or(usize::MAX).min(read);
        let passed = to.write_all(&buffer[..passes]);
        if passes < read {
            for stream in open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            return;
        }
        if passed.is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was proved belongs to the proof")]
fn run_that_loses_its_connection_at_any_byte_is_completed_by_the_next() {
    let test = TestFolder::new();
    if !has_tool("rpm") {
        return;
    }
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let target = control_plane.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let connection = BreakingConnection::to(target.clone());
    let settings = test.read("root/etc/geppetto/punch.yaml");
    assert!(settings.contains(&target), "{settings}");
    let through = settings.replace(&target, &format!("127.0.0.1:{}", connection.port));
    test.write("root/etc/geppetto/punch.yaml", &through);
    test.copy_folder("root", "joined");

    // What a whole run needs, and what it makes.
    test.ok(&RESTORE);
    let needed = u64::MAX - connection.left.load(Ordering::SeqCst);
    test.copy_folder("root", "clean");

    let breaks = history_count();
    for seed in 1..=breaks {
        let mut numbers = SeededNumbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let bytes = numbers.below(needed);
        test.copy_folder("joined", "root");
        connection.let_through(bytes);
        let broken = test.punch(&RESTORE);
        let title = format!("{bytes} of {needed} bytes: {} {}{}", broken.code, broken.stdout, broken.stderr);
        // Without the report alone it ends as it would have with it.
        assert!([0, 5, 6].contains(&broken.code), "{title}");
        connection.let_through(u64::MAX);
        let next = test.punch(&RESTORE);
        assert_eq!(next.code, 0, "{title}\n{}{}", next.stdout, next.stderr);
        let differences = differences_between_hosts(&test.path("root"), &test.path("clean"));
        assert!(differences.is_empty(), "{title}\n{}", differences.join("\n"));
        let shown = test.ok(&["server", "list", "--json"]).json();
        let outcome = if broken.code == 0 { "unchanged" } else { "changed" };
        assert_eq!(shown[0]["outcome"], outcome, "{title}\n{shown}");
    }
    println!("{breaks} connections broken within {needed} bytes");
}
