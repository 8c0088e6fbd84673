//! Commands that are ended by a signal: what they say, and what they leave.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::control_plane::ControlPlane;

/// So many small files take a while to be copied, each flushed to the disk.
const FILES: usize = 5_000;

/// A control plane that does not serve, with much to copy.
fn large() -> ControlPlane {
    let plane = ControlPlane::empty();
    plane.run(&["init"]).ok();
    let folder = plane.data().join("repository/pool/many");
    fs::create_dir_all(&folder).unwrap();
    for n in 0..FILES {
        fs::write(folder.join(format!("many-{n}-1.noarch.rpm")), n.to_string()).unwrap();
    }
    plane
}

fn start(plane: &ControlPlane, arguments: &[&str]) -> Child {
    // Whoever runs the tests may have the signals ignored, and then the program leaves them so.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,TERM", "--unset=GEPPETTO_DATABASE", env!("CARGO_BIN_EXE_geppetto")]);
    command.arg("--data").arg(plane.data()).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends the signal as soon as this is true; gives the number of the signal that ended the program, and what it said.
#[track_caller]
fn interrupt(mut child: Child, signal: &str, when: impl Fn() -> bool) -> (Option<i32>, String) {
    while !when() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.signal(), String::from_utf8(output.stderr).unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn interrupted_backup_leaves_nothing_and_says_so() {
    let plane = large();
    let (place, out) = (plane.path("backups"), plane.path("backups/today"));
    fs::create_dir(&place).unwrap();
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let backup = start(&plane, &["backup", "--out", out.to_str().unwrap()]);
        let copies = || {
            names(&place).iter().any(|name| names(&place.join(name).join("repository/pool/many")).len() > 20)
        };
        let (ended_by, said) = interrupt(backup, signal, copies);
        assert_eq!(ended_by, Some(number), "{said}");
        assert!(
            said.starts_with("error: interrupted by SIG") && said.contains("no backup was made"),
            "{said}"
        );
        assert_eq!(names(&place), Vec::<String>::new());
    }
}

#[test]
fn interrupted_recovery_names_the_folder_from_which_nothing_starts() {
    let plane = large();
    let backup = plane.path("backup");
    plane.run(&["backup", "--out", backup.to_str().unwrap()]).ok();
    let recovered = ControlPlane::empty();
    let from = ["recover", "--from", backup.to_str().unwrap()];
    let copies = || names(&recovered.data().join("repository/pool/many")).len() > 20;
    let (ended_by, said) = interrupt(start(&recovered, &from), "-INT", copies);
    assert_eq!(ended_by, Some(2), "{said}");
    let folder = recovered.data().display().to_string();
    assert!(said.contains(&format!("{folder} is recovered only in part")), "{said}");
    assert!(said.contains("empty that folder"), "{said}");
    let message = recovered.run(&["serve", "--listen", "127.0.0.1:0"]).failed(1);
    assert!(message.contains("was interrupted: the data there is incomplete"), "{message}");
    fs::remove_dir_all(recovered.data()).unwrap();
    recovered.run(&from).ok();
}

#[test]
fn interrupted_init_says_that_the_same_command_completes_it() {
    // A database that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://geppetto@{}/geppetto", silent.local_addr().unwrap());
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let plane = ControlPlane::empty();
        let init = start(&plane, &["init", "--database", &url]);
        let (ended_by, said) = interrupt(init, signal, || plane.data().join("keys").is_dir());
        assert_eq!(ended_by, Some(number), "{said}");
        assert!(said.contains("the same command completes it"), "{said}");
        plane.run(&["init"]).ok();
    }
}
