//! Histories of hosts that are disturbed: played from seeds, and compared at the end with a host that was made in a single
//! run.
//!
//! Not compared: the insides of rpm's database, times, and in punch's own folder what tells of the past (reports, good node
//! files, kept content).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    mounted_file_system::MountedFileSystem,
    skip::has_tool,
    test_folder::{CommandOutput, TestFolder, run},
};

/// How many histories there are; `GEPPETTO_TEST_HISTORIES` says another number. A third as many go back.
const HISTORIES: u64 = 30;

/// The longest that a host may be unfit for a run after a kill: a program of the killed run ends first.
const PATIENCE: Duration = Duration::from_secs(30);

/// A component in one version: its package and what its manifest says.
struct Version {
    component: &'static str,
    version: &'static str,
    payload: &'static [(&'static str, &'static str)],
    resources: &'static str,
}

/// Directories, files, links and jobs come, go, and change their type, mode and content; so do files of payloads.
const VERSIONS: [Version; 6] = [
    Version {
        component: "shop",
        version: "1.0.0",
        payload: &[("/usr/bin/shop", "one"), ("/usr/share/shop/only-in-1.0", "x")],
        resources: "
  - {directory: /etc/shop, mode: \"0750\"}
  - {file: /etc/shop/shop.conf, content: \"one\\n\", mode: \"0640\"}
  - {file: /etc/shop/other, content: \"a file\\n\"}
  - {cron: shop, schedule: \"@daily\", command: /usr/bin/shop}
",
    },
    Version {
        component: "shop",
        version: "1.1.0",
        payload: &[("/usr/bin/shop", "two"), ("/usr/share/shop/data/new", "y")],
        resources: "
  - {directory: /etc/shop}
  - {file: /etc/shop/shop.conf, content: \"two\\n\"}
  - {symlink: /etc/shop/other, target: shop.conf}
  - {directory: /srv/shop, mode: \"0711\"}
  - {file: /srv/shop/data, content: \"{{ server.name }}\\n\"}
",
    },
    Version {
        component: "shop",
        version: "2.0.0",
        payload: &[("/usr/sbin/shop", "three")],
        resources: "
  - {file: /etc/shop.conf, content: \"three\\n\"}
  - {symlink: /etc/shop, target: shop.conf}
  - {cron: shop, schedule: \"@hourly\", command: /usr/sbin/shop}
",
    },
    Version {
        component: "probe",
        version: "1.0.0",
        payload: &[("/usr/libexec/probe/run", "one")],
        resources: "
  - {file: /etc/probe.conf, content: \"one\\n\"}
",
    },
    Version {
        component: "probe",
        version: "1.1.0",
        payload: &[("/usr/libexec/probe/run", "two"), ("/usr/libexec/probe/more", "z")],
        resources: "
  - {directory: /etc/probe.d}
  - {file: /etc/probe.d/main.conf, content: \"two\\n\"}
  - {symlink: /etc/probe.conf, target: probe.d/main.conf}
",
    },
    // What it wants last cannot be done.
    Version {
        component: "probe",
        version: "9.0.0",
        payload: &[("/usr/libexec/probe/run", "nine"), ("/usr/libexec/probe/nine", "9")],
        resources: "
  - {file: /etc/probe.conf, content: \"nine\\n\"}
  - {directory: /etc/probe.d, mode: \"0700\"}
  - {file: /etc/motd, content: \"nine\\n\"}
  - {file: /srv/small/data, content: LARGE, require: [file:/etc/motd]}
",
    },
];

/// What a host shall have: the version of each component, if any.
pub(crate) type Wanted = [Option<&'static str>; 2];

pub(crate) const ALL_WANTED: [Wanted; 7] = [
    [Some("1.0.0"), None],
    [Some("1.1.0"), Some("1.0.0")],
    [Some("2.0.0"), Some("1.1.0")],
    [Some("1.0.0"), Some("1.1.0")],
    [None, Some("1.0.0")],
    [Some("2.0.0"), None],
    [Some("1.1.0"), Some("1.1.0")],
];

/// Numbers that follow from a seed (xorshift64, Marsaglia 2003).
pub(crate) struct SeededNumbers(pub(crate) u64);

impl SeededNumbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The packages, and hosts that were made in one run.
pub(crate) struct Hosts {
    pub(crate) test: TestFolder,
    /// How long a run takes that is let alone.
    pub(crate) longest: Duration,
}

impl Hosts {
    fn prepare() -> Self {
        let test = TestFolder::new();
        for version in &VERSIONS {
            let folder = version.component;
            let _ = fs::remove_dir_all(test.path(folder));
            let mut files = String::new();
            for (number, (path, content)) in version.payload.iter().enumerate() {
                test.write(&format!("{folder}/files/{number}"), &format!("{content}\n"));
                files.push_str(&format!("  - {{source: files/{number}, path: {path}, mode: \"0755\"}}\n"));
            }
            test.write(
                &format!("{folder}/component.yaml"),
                &format!(
                    "format: geppetto/component/1\nname: {folder}\nversion: {}\nkind: processing\nsummary: Is killed\n\
                     license: Apache-2.0\nfiles:\n{files}",
                    version.version
                ),
            );
            let resources = version.resources.replace("LARGE", &"x".repeat(200_000));
            let manifest = format!("format: geppetto/manifest/1\nresources:{resources}");
            test.write(&format!("{folder}/deploy/manifest.yaml"), &manifest);
            test.ok(&["package", folder, "--out", "dist", "--source-date", "1700000000"]);
        }
        let mut hosts = Self { test, longest: Duration::ZERO };
        for (number, wanted) in ALL_WANTED.iter().enumerate() {
            let root = format!("clean-{number}");
            hosts.new_root(&root);
            let began = now();
            let output = run(&mut hosts.apply(&root, wanted));
            assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
            hosts.longest = hosts.longest.max(began.elapsed());
        }
        hosts
    }

    fn new_root(&self, root: &str) {
        self.test.write(&format!("{root}/etc/motd"), "welcome\n");
        // What every system has.
        for folder in ["etc/cron.d", "srv/small", "usr/bin", "usr/sbin", "usr/libexec", "usr/share"] {
            fs::create_dir_all(self.test.path(root).join(folder)).unwrap();
        }
    }

    /// `punch apply` of what is wanted.
    pub(crate) fn apply(&self, root: &str, wanted: &Wanted) -> Command {
        let components: Vec<String> = ["shop", "probe"]
            .iter()
            .zip(wanted)
            .filter_map(|(name, version)| Some(format!("{name}: {{version: {}}}", version.as_ref()?)))
            .collect();
        let node = format!("{root}.yaml");
        self.test
            .write(&node, &format!("format: geppetto/node/1\ncomponents: {{{}}}\n", components.join(", ")));
        self.test.command(&["apply", &node, "--repository", "dist", "--root", root, "--max-removals", "50"])
    }

    /// A host that was made in one run, to be changed; a file system may be mounted there.
    pub(crate) fn copy_of_clean(&self, number: usize, root: &str) {
        self.test.copy_folder(&format!("clean-{number}"), root);
    }

    fn clean(&self, number: usize) -> PathBuf {
        self.test.path(&format!("clean-{number}"))
    }

    /// Runs until the run is not blocked by a program that the killed one began.
    pub(crate) fn run_when_possible(&self, root: &str, wanted: &Wanted) -> CommandOutput {
        let began = now();
        loop {
            let output = run(&mut self.apply(root, wanted));
            if output.code != 3 || began.elapsed() > PATIENCE {
                return output;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What is different between two hosts, a line each.
pub(crate) fn differences_between_hosts(host: &Path, clean: &Path) -> Vec<String> {
    let (now, clean) = (everything_on_host(host), everything_on_host(clean));
    let paths: BTreeSet<&String> = now.keys().chain(clean.keys()).collect();
    let absent = "nothing".to_owned();
    let of = |host: &BTreeMap<String, String>, path: &String| host.get(path).unwrap_or(&absent).clone();
    paths
        .into_iter()
        .filter(|path| now.get(*path) != clean.get(*path))
        .map(|path| format!("{path}: {} instead of {}", of(&now, path), of(&clean, path)))
        .map(|line| line.chars().take(300).collect())
        .collect()
}

/// Every path with its type, mode, owner and content, the packages and what rpm says of their files, and what punch
/// takes for its own.
fn everything_on_host(root: &Path) -> BTreeMap<String, String> {
    const INSIDES: [&str; 3] = ["root/.rpmdb", "var/lib/rpm", "var/lib/geppetto/punch"];
    let mut seen = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_dir() {
                if shown == "lost+found" {
                    // The file system's own.
                    continue;
                }
                if !INSIDES.contains(&shown.as_str()) {
                    folders.push(path);
                }
                "directory".to_owned()
            } else if metadata.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            let (mode, uid, gid) = (metadata.permissions().mode(), metadata.uid(), metadata.gid());
            seen.insert(format!("/{shown}"), format!("{mode:o} {uid}:{gid} {content:?}"));
        }
    }
    let rpm = |arguments: &[&str]| {
        let output = Command::new("rpm").arg("--root").arg(root).args(arguments).output().unwrap();
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    seen.insert("rpm -qa".to_owned(), rpm(&["-qa"]));
    seen.insert("rpm -Va".to_owned(), rpm(&["-Va", "--nomtime"]));
    let state = root.join("var/lib/geppetto/punch");
    let managed = fs::read_to_string(state.join("managed.json")).unwrap_or_default();
    let managed: serde_json::Value = serde_json::from_str(&managed).unwrap_or_default();
    let mut resources: Vec<String> =
        managed["resources"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    resources.sort();
    seen.insert("managed resources".to_owned(), resources.join("\n"));
    seen.insert("managed packages".to_owned(), managed["packages"].to_string());
    seen.insert("pending notifications".to_owned(), managed["pending"].to_string());
    for name in ["running.jsonl", "installing.json", "interrupted-writes.json"] {
        seen.insert(name.to_owned(), format!("there: {}", state.join(name).exists()));
    }
    seen
}

#[expect(clippy::disallowed_methods, reason = "the instant of a kill is a matter of real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
pub(crate) fn history_count() -> u64 {
    std::env::var("GEPPETTO_TEST_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// A history that was played on the host `root`.
pub(crate) struct PlayedHistory {
    pub(crate) title: String,
    /// The number of the host that was made in one run and must be equal.
    pub(crate) clean: usize,
    /// How its last run ended.
    pub(crate) last_run: CommandOutput,
    /// Mounted until the hosts are compared.
    pub(crate) mounted: Option<MountedFileSystem>,
}

/// Plays histories, each from its own seed, whose last run must end with `exit_code`; `play` gives `None` when one cannot be
/// played here.
#[allow(clippy::print_stdout, reason = "how much was proved belongs to the proof")]
pub(crate) fn assert_hosts_have_no_trace_of_their_histories(
    (count, what, exit_code): (u64, &str, i32),
    play: impl Fn(&Hosts, &mut SeededNumbers) -> Option<PlayedHistory>,
) {
    if !has_tool("rpm") {
        return;
    }
    let hosts = Hosts::prepare();
    let mut differing = Vec::new();
    for seed in 1..=count {
        let mut numbers = SeededNumbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let Some(history) = play(&hosts, &mut numbers) else { return };
        let PlayedHistory { title, clean, last_run: output, mounted: _mounted } = history;
        let mut differences = differences_between_hosts(&hosts.test.path("root"), &hosts.clean(clean));
        if output.code != exit_code {
            differences.push(format!("exit code {}: {}{}", output.code, output.stdout, output.stderr));
        }
        if !differences.is_empty() {
            differing.push(format!("seed {seed}, {title}:\n  {}", differences.join("\n  ")));
        }
    }
    println!("{count} {what}, {} differ", differing.len());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
