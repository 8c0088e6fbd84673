//! A full disk and a locked database: what is said, and that the control plane works again by itself.

use crate::skip::skip;
use std::{fs, path::PathBuf, process::Command};

use crate::control_plane::{ControlPlane, result_of};

/// A small file system of its own, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf) -> Option<Self> {
        Self::mount_of_size(folder, "4m")
    }

    fn mount_of_size(folder: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            skip("mounting a tmpfs is not allowed here (needs root)");
        }
        mounted.then_some(Self(folder))
    }

    /// Fills what is left of it.
    fn fill(&self) {
        let mut size = 4 * 1024 * 1024;
        for part in 0.. {
            if size < 512 {
                return;
            }
            if fs::write(self.0.join(format!("filler-{part}")), vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Frees it again.
    fn free(&self) {
        for entry in fs::read_dir(&self.0).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_str().unwrap().starts_with("filler-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn role(plane: &ControlPlane, text: &str) -> crate::control_plane::CommandResult {
    plane.import(&[("roles/web.yaml", &format!("format: geppetto/role/1\ndescription: {text}\n"))])
}

#[test]
fn writes_work_again_after_a_full_disk_without_a_restart() {
    let mut plane = ControlPlane::empty();
    let Some(disk) = SmallDisk::mount(plane.data()) else { return };
    plane.serve(&[]);
    role(&plane, "first").ok();
    for round in 0..3 {
        disk.fill();
        let message = role(&plane, &format!("{round} {}", "x".repeat(100_000))).failed(5);
        assert!(message.contains("no room left on its disk"), "{message}");
        // What SQLite has of the disk already may have room for the little that the check writes.
        let health = plane.get("/api/v1/health", "").status;
        assert!(matches!(health, 200 | 507), "{health}");
        disk.free();
        plane.get("/api/v1/health", "").ok();
        // Every connection of the pool: one left in a stale transaction would fail to begin another.
        for write in 0..8 {
            role(&plane, &format!("{round} {write}")).ok();
        }
    }
    assert_eq!(plane.end("-TERM"), Some(0));
}

#[test]
fn first_start_on_a_full_disk_exits_with_5_and_names_the_cause_whatever_it_was_writing() {
    let sizes = ["4k", "8k", "16k", "24k", "32k", "48k", "64k", "96k", "128k", "256k", "384k", "512k"];
    let mut failed = 0;
    for size in sizes {
        for verb in [&["init"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let plane = ControlPlane::empty();
            let Some(_disk) = SmallDisk::mount_of_size(plane.data(), size) else { return };
            // One that fits serves until it is ended.
            let mut command = Command::new("timeout");
            command.args(["3", env!("CARGO_BIN_EXE_geppetto"), "--data"]).arg(plane.data()).args(verb);
            let ended = result_of(command.env_remove("GEPPETTO_DATABASE").output().unwrap());
            if matches!(ended.code, 0 | 124) {
                continue;
            }
            failed += 1;
            let message = ended.failed(5);
            let causes = ["No space left on device", "is full", "disk I/O error"];
            let names_cause = causes.iter().any(|cause| message.contains(cause));
            assert!(names_cause && message.contains("make room on that disk"), "{size}: {message}");
        }
    }
    assert!(failed > 4, "{failed}");
}

#[test]
fn locked_database_is_answered_with_503_and_writes_work_afterwards() {
    let plane = ControlPlane::start();
    role(&plane, "first").ok();
    let database = plane.data().join("geppetto.db");
    let mut holder = Command::new("sqlite3")
        .arg(&database)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("sqlite3: {error}"));
    use std::io::Write as _;
    let mut commands = holder.stdin.take().unwrap();
    commands.write_all(b".timeout 5000\nBEGIN IMMEDIATE;\nUPDATE health SET written_us = 1;\n").unwrap();
    commands.flush().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let detail = plane.get("/api/v1/health", "").problem(503);
    assert!(detail.contains("locked"), "{detail}");
    commands.write_all(b"ROLLBACK;\n").unwrap();
    drop(commands);
    holder.wait().unwrap();
    plane.get("/api/v1/health", "").ok();
    role(&plane, "second").ok();
}
