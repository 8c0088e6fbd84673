//! punch is killed at any instant, alone or with all its programs, loses the power, or finds the disk full: after the next
//! run that is let alone, the host is in nothing different from one that was made in a single run.
//!
//! Histories and instants follow from seeds.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    histories::{
        ALL_WANTED, PlayedHistory, SeededNumbers, assert_hosts_have_no_trace_of_their_histories,
        history_count,
    },
    mounted_file_system::MountedFileSystem,
    test_folder::run,
};

/// Lets a command run for a while, and kills it: alone, or with all programs below it.
fn kill_after(command: &mut Command, time: Duration, with_programs: bool) {
    let mut child = started(command);
    thread::sleep(time);
    let programs = if with_programs { descendants(child.id()) } else { Vec::new() };
    end(&mut child, programs);
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a process, and then others.
fn end(child: &mut Child, programs: Vec<i32>) {
    let _ = child.kill();
    for program in programs {
        let _ = kill(Pid::from_raw(program), Signal::SIGKILL);
    }
    child.wait().unwrap();
}

/// The processes below one.
fn descendants(of: u32) -> Vec<i32> {
    let parents: Vec<(i32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            let pid = stat.split(' ').next()?.parse().ok()?;
            Some((pid, stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?))
        })
        .collect();
    let mut found = Vec::new();
    let mut below = vec![of];
    while let Some(parent) = below.pop() {
        let children = parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid);
        for child in children {
            found.push(child);
            below.extend(u32::try_from(child));
        }
    }
    found
}

/// What a host is made like first and then, by their numbers.
fn two_states(numbers: &mut SeededNumbers) -> (usize, usize) {
    let count = ALL_WANTED.len() as u64;
    let from = numbers.below(count) as usize;
    (from, (from + 1 + numbers.below(count - 1) as usize) % ALL_WANTED.len())
}

#[test]
fn run_killed_at_any_instant_is_completed_by_the_next_and_leaves_no_trace() {
    let what = (history_count(), "histories with one or two kills each", 0);
    assert_hosts_have_no_trace_of_their_histories(what, |hosts, numbers| {
        let (from, to) = two_states(numbers);
        hosts.copy_of_clean(from, "root");
        let kills = 1 + numbers.below(2);
        for _ in 0..kills {
            let time = hosts.longest.mul_f64(numbers.below(110) as f64 / 100.0);
            kill_after(&mut hosts.apply("root", &ALL_WANTED[to]), time, numbers.below(2) == 0);
        }
        Some(PlayedHistory {
            title: format!("{:?} -> {:?}", ALL_WANTED[from], ALL_WANTED[to]),
            clean: to,
            last_run: hosts.run_when_possible("root", &ALL_WANTED[to]),
            mounted: None,
        })
    });
}

#[test]
fn rollback_killed_at_any_instant_is_completed_by_the_next_run() {
    let what = (history_count() / 3, "kills of runs that fail and go back", 4);
    assert_hosts_have_no_trace_of_their_histories(what, |hosts, numbers| {
        let from = numbers.below(ALL_WANTED.len() as u64) as usize;
        hosts.copy_of_clean(from, "root");
        // The last file does not fit into it.
        let small = MountedFileSystem::mount_small(&hosts.test.path("root/srv/small"))?;
        let failing = [ALL_WANTED[from][0], Some("9.0.0")];
        let time = hosts.longest.mul_f64(numbers.below(200) as f64 / 100.0);
        kill_after(&mut hosts.apply("root", &failing), time, numbers.below(2) == 0);
        Some(PlayedHistory {
            title: format!("{:?}", ALL_WANTED[from]),
            clean: from,
            last_run: hosts.run_when_possible("root", &failing),
            mounted: Some(small),
        })
    });
}

#[test]
fn run_on_a_disk_that_is_full_at_any_write_is_completed_when_there_is_space() {
    let what = (history_count() / 2, "runs on a full disk", 0);
    assert_hosts_have_no_trace_of_their_histories(what, |hosts, numbers| {
        let (from, to) = two_states(numbers);
        let root = hosts.test.path("root");
        let disk = MountedFileSystem::mount_tmpfs(&root, "256m")?;
        hosts.copy_of_clean(from, "root");
        // Most runs need less than a megabyte, and the first kilobytes matter as much as the last.
        let order_of_magnitude = 6 + numbers.below(15);
        let free = numbers.below(1 << order_of_magnitude);
        disk.fill_leaving(free);
        let full = run(&mut hosts.apply("root", &ALL_WANTED[to]));
        let title = format!("{:?} -> {:?} with {free} bytes free", ALL_WANTED[from], ALL_WANTED[to]);
        let title = format!("{title}: {} {}{}", full.code, full.stdout, full.stderr);
        assert!([0, 3, 4, 5].contains(&full.code), "{title}");
        disk.free_again();
        let last_run = hosts.run_when_possible("root", &ALL_WANTED[to]);
        Some(PlayedHistory { title, clean: to, last_run, mounted: Some(disk) })
    });
}

#[test]
fn run_that_loses_the_power_at_any_instant_is_completed_by_the_next() {
    let what = (history_count() / 2, "power cuts", 0);
    assert_hosts_have_no_trace_of_their_histories(what, |hosts, numbers| {
        let (from, to) = two_states(numbers);
        let mut disk =
            MountedFileSystem::mount_ext4_image(&hosts.test.path("root"), &hosts.test.path("disk"))?;
        hosts.copy_of_clean(from, "root");
        disk.flush();
        let mut child = started(&mut hosts.apply("root", &ALL_WANTED[to]));
        thread::sleep(hosts.longest.mul_f64(numbers.below(120) as f64 / 100.0));
        disk.cut_power();
        let programs = descendants(child.id());
        end(&mut child, programs);
        disk.mount_again();
        let title = format!("{:?} -> {:?}", ALL_WANTED[from], ALL_WANTED[to]);
        let last_run = hosts.run_when_possible("root", &ALL_WANTED[to]);
        Some(PlayedHistory { title, clean: to, last_run, mounted: Some(disk) })
    });
}
