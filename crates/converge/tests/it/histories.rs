//! Applying: afterwards nothing is left to do, and what was between two runs with the same node file leaves no trace.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use converge::{Host, PunchStateFolder, RealHost, memory_host::MemoryHost};
use model::report::RunOutcome;
use proptest::{option, prelude::*, test_runner::TestCaseError};

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

/// Paths of the generated manifests. A folder is a folder in every version: another thing in its place is refused.
const PATHS: [(&str, Kind); 7] = [
    ("/etc/part", Kind::Directory),
    ("/etc/part/a", Kind::Directory),
    ("/etc/part/a/deep", Kind::File),
    ("/etc/part/b", Kind::Symlink),
    ("/etc/other", Kind::FileOrSymlink),
    ("/srv/data", Kind::Directory),
    ("/srv/data/c", Kind::FileOrSymlink),
];

/// What may be at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Symlink,
    /// Only a file, on a host that does not know that both lie at one path.
    FileOrSymlink,
}

/// What a manifest may say of a path.
#[derive(Debug, Clone)]
enum Wanted {
    File { content: String, mode: Option<u32> },
    Directory { mode: Option<u32> },
    Symlink { target: String },
}

impl Wanted {
    fn resource(&self, path: &str) -> String {
        let stated =
            |mode: &Option<u32>| mode.map(|mode| format!(", mode: \"{mode:04o}\"")).unwrap_or_default();
        match self {
            Wanted::File { content, mode } => {
                format!("  - {{file: {path}, content: {content:?}{}}}\n", stated(mode))
            }
            Wanted::Directory { mode } => format!("  - {{directory: {path}{}}}\n", stated(mode)),
            Wanted::Symlink { target } => format!("  - {{symlink: {path}, target: {target}}}\n"),
        }
    }
}

/// A manifest of directories, files, links and a cron job. What lies in a folder is left out where the folder is not said.
fn manifest(with_type_changes: bool) -> impl Strategy<Value = String> {
    let mode = || option::weighted(0.8, prop_oneof![Just(0o600), Just(0o640), Just(0o755), Just(0o700)]);
    let file = ("[a-c]{0,3}", mode()).prop_map(|(content, mode)| Wanted::File { content, mode }).boxed();
    let directory = mode().prop_map(|mode| Wanted::Directory { mode }).boxed();
    let symlink = "[a-c]{1,2}".prop_map(|target| Wanted::Symlink { target }).boxed();
    let wanted = PATHS.map(|(_, kind)| {
        let of_kind = match kind {
            Kind::Directory => directory.clone(),
            Kind::Symlink => symlink.clone(),
            Kind::FileOrSymlink if with_type_changes => prop_oneof![file.clone(), symlink.clone()].boxed(),
            Kind::File | Kind::FileOrSymlink => file.clone(),
        };
        option::weighted(0.7, of_kind)
    });
    (Vec::from(wanted), option::of("[0-5]")).prop_map(|(wanted, cron)| {
        let mut folders = vec!["/etc", "/srv"];
        let mut resources = String::new();
        for ((path, kind), wanted) in PATHS.into_iter().zip(wanted) {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if let Some(wanted) = wanted.filter(|_| folders.contains(&parent)) {
                resources += &wanted.resource(path);
                if kind == Kind::Directory {
                    folders.push(path);
                }
            }
        }
        if let Some(minute) = cron {
            resources += &format!("  - {{cron: part, schedule: \"{minute} * * * *\", command: /bin/true}}\n");
        }
        let heading = if resources.is_empty() { "" } else { "resources:\n" };
        format!("format: geppetto/manifest/1\n{heading}{resources}")
    })
}

fn packages(one: &str, other: &str) -> PackageFolder {
    let part = |version, manifest| Component {
        name: "part",
        version,
        says: "",
        manifest,
        templates: &[],
        payload: &[],
    };
    PackageFolder::new().with(&part("1.0", one)).with(&part("1.1", other))
}

/// Applies a version, and looks whether anything is left to do.
fn apply_and_plan_again(
    version: &str,
    host: &mut dyn Host,
    state: &PunchStateFolder,
    packages: &mut PackageFolder,
) -> Result<(), TestCaseError> {
    let node = story::node(&format!(" {{part: {{version: \"{version}\"}}}}"));
    let run = story::run(&node, host, state, packages);
    let ended_well = matches!(run.report.outcome, RunOutcome::Changed | RunOutcome::Unchanged);
    prop_assert!(ended_well, "{}\n{:#?}", run.plan, run.report);
    let again = story::plan(&node, host, state, packages);
    prop_assert!(again.has_no_changes_or_blocks(), "left to do:\n{}", again);
    Ok(())
}

/// Everything below `root` but what punch, `rpm` and the accounts' tools note for themselves.
fn everything_below(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            if ["root/.rpmdb", "var/lib/rpm", "var/lib/geppetto"].contains(&shown.as_str()) {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_dir() {
                folders.push(path);
                String::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            let (mode, uid, gid) = (metadata.permissions().mode(), metadata.uid(), metadata.gid());
            lines.push(format!("{shown} {mode:o} {uid}:{gid} {content}"));
        }
    }
    lines.sort();
    lines
}

fn new_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc/cron.d", "srv"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::write(root.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
    root
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn applying_b_between_two_runs_of_a_leaves_no_trace_on_a_memory_host(a in manifest(false), b in manifest(false)) {
        let folder = tempfile::tempdir().unwrap();
        let state = PunchStateFolder::from_root_path(folder.path());
        let mut packages = packages(&a, &b);
        let mut host = MemoryHost { booted: true, ..MemoryHost::default() };
        apply_and_plan_again("1.0", &mut host, &state, &mut packages)?;
        let after_a = host.resources.clone();
        apply_and_plan_again("1.1", &mut host, &state, &mut packages)?;
        apply_and_plan_again("1.0", &mut host, &state, &mut packages)?;
        prop_assert_eq!(host.resources, after_a);
    }
}

proptest! {
    // Each case is three runs with real packages.
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn applying_b_between_two_runs_of_a_leaves_no_trace_in_a_folder(a in manifest(true), b in manifest(true)) {
        if has_tool("rpm") {
            let root = new_root();
            let state = PunchStateFolder::from_root_path(root.path());
            let mut packages = packages(&a, &b);
            let mut host = RealHost::new(root.path(), story::no_http).unwrap();
            apply_and_plan_again("1.0", &mut host, &state, &mut packages)?;
            let after_a = everything_below(root.path());
            apply_and_plan_again("1.1", &mut host, &state, &mut packages)?;
            apply_and_plan_again("1.0", &mut host, &state, &mut packages)?;
            prop_assert_eq!(everything_below(root.path()), after_a, "A:\n{}B:\n{}", a, b);
        }
    }
}
