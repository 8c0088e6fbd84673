//! Bad input: each refusal is a sentence, and nothing was touched.

use crate::skip::skip;
use std::{fs, process::Command};

use converge::{PunchStateFolder, RealHost};
use model::report::RunOutcome;

use crate::story::{self, Component, PackageFolder};

const PART: Component<'_> = Component {
    name: "part",
    version: "1.0",
    says: r#""parameters": {
        "port": {"type": "port", "description": "where it listens", "default": 80},
        "key": {"type": "string", "description": "who we are", "required": true, "secret": true}},"#,
    manifest: "format: geppetto/manifest/1\n",
    templates: &[],
    payload: &[],
};

/// What `look` says about a node file.
fn message(component: &Component<'_>, components: &str) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    let mut package_folder = PackageFolder::new().with(component);
    let look = story::look(
        &story::node(components),
        &RealHost::new(root.path(), story::no_http).unwrap(),
        &PunchStateFolder::from_root_path(root.path()),
        &mut package_folder,
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing was touched");
    look.unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn values_are_checked_against_the_parameters() {
    let message = message(&PART, " {part: {version: \"1.0\", values: {prot: 80, port: 99999}}}");
    assert_eq!(message[0], "`part` 1.0-1 has no parameter `prot`; did you mean `port`?");
    assert!(message[1].starts_with("`part.key` (who we are) must have a value"), "{}", message[1]);
    assert!(message[2].starts_with("`part.port` must be a port"), "{}", message[2]);
}

#[test]
fn all_manifest_errors_are_reported_with_line_numbers() {
    let manifest = "format: geppetto/manifest/1
resources:
  - file: /etc/x
    content: \"{{ prot }}\"
  - template: /etc/y
    source: y.conf.j2
  - file: etc/z
    mode: 644
";
    let templates = &[("y.conf", "{{ key }}")];
    let message = message(
        &Component { manifest, templates, ..PART },
        " {part: {version: \"1.0\", values: {key: s3cret}}}",
    );
    assert_eq!(
        message,
        [
            "component part: part/manifest.yaml:4: `prot` is not defined; did you mean `port`?",
            "component part: part/manifest.yaml:5: its source `y.conf.j2` is not among the templates; did you mean `y.conf`?",
            "component part: part/manifest.yaml:7: file etc/z: `etc/z` is no absolute path: it must start with `/`",
            "component part: part/manifest.yaml:8: file etc/z: `mode` must be octal digits (0 to 7) in quotes, for instance \"0644\", not the whole number 644",
        ]
    );
}

#[test]
fn error_messages_do_not_contain_secrets() {
    let manifest = "format: geppetto/manifest/1\nresources: [{file: \"/etc/{{ key }}\"}, {directory: /x, mode: \"{{ key }}\"}]\n";
    let message =
        message(&Component { manifest, ..PART }, " {part: {version: \"1.0\", values: {key: hunter2}}}")
            .join("\n");
    assert!(message.contains("a secret cannot be part of the name of a `file`"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn components_that_need_others_say_which() {
    let says = r#""requires": {"base-lib": ">=1.2"},"#;
    let message = message(&Component { says, ..PART }, " {part: {version: \"1.0\"}}");
    assert_eq!(message, ["part needs component `base-lib` (>=1.2), which the node file does not have"]);
}

#[test]
fn invalid_package_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut package_folder = PackageFolder::new().with(&PART);
    let path = package_folder.files[&("part-deployment".to_owned(), "1.0".to_owned())].clone();
    for bytes in [&b"no package"[..], &[0; 4096], &fs::read(&path).unwrap()[..300]] {
        fs::write(&path, bytes).unwrap();
        let host = RealHost::new(root.path(), story::no_http).unwrap();
        let problems = story::look(
            &story::node(" {part: {version: \"1.0\"}}"),
            &host,
            &PunchStateFolder::from_root_path(root.path()),
            &mut package_folder,
        );
        let message = problems.unwrap_err()[0].to_string();
        assert!(message.contains("is not a readable package"), "{message}");
    }
}

#[test]
fn missing_root_directory_is_an_error_naming_it() {
    let error = RealHost::new("/no/such/root".as_ref(), story::no_http).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot open the root folder /no/such/root: it does not exist; make it with `mkdir -p /no/such/root`"
    );
}

#[test]
fn second_lock_is_refused_while_a_run_holds_the_first() {
    let root = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(root.path());
    let held = state.acquire_run_lock().unwrap();
    let error = state.acquire_run_lock().unwrap_err().to_string();
    let pid = std::process::id();
    assert_eq!(
        error,
        format!("another punch is at work on this host (process {pid}); wait for it to end, then run again")
    );
    drop(held);
    state.acquire_run_lock().unwrap();
}

#[test]
fn full_disk_fails_the_run_and_leaves_no_partial_file() {
    let root = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(root.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        skip("a small file system cannot be mounted here (it needs root)");
        return;
    }
    struct Unmount<'a>(&'a std::path::Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.0).status();
        }
    }
    let _unmount = Unmount(root.path());
    let bin = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(bin.path());
    // The package and its database are on another disk: only the file meets the full one.
    let big = "x".repeat(200 * 1024);
    let manifest = "format: geppetto/manifest/1\nresources: [{file: /big, source: big}]\n";
    let mut package_folder =
        PackageFolder::new().with(&Component { says: "", manifest, templates: &[("big", &big)], ..PART });
    let node = story::node(" {part: {version: \"1.0\"}}");
    let mut host = WithoutPackages(RealHost::new(root.path(), story::no_http).unwrap());
    let run = story::run(&node, &mut host, &state, &mut package_folder);
    assert_eq!(run.report.outcome, RunOutcome::Failed, "{:#?}", run.report);
    let detail = &run.report.entries[2].detail;
    // Below a root both paths are said.
    let said = "cannot write /big: the disk is full; free some space and run again (/big is /";
    assert!(detail.starts_with(said) && detail.ends_with("/big)"), "{detail}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing half-written stays");
}

/// A real host on which packages are taken as installed.
struct WithoutPackages(RealHost);

impl converge::Host for WithoutPackages {
    fn os_family(&self) -> Option<model::observe::OsFamily> {
        self.0.os_family()
    }
    fn is_systemd_running(&self) -> bool {
        false
    }
    fn can_run_commands(&self) -> bool {
        false
    }
    fn observe_component_packages(
        &self,
        _: &[String],
    ) -> std::collections::BTreeMap<String, model::observe::Observation<model::version::Version>> {
        std::collections::BTreeMap::new()
    }
    fn observe_resources(
        &self,
        request: &model::observe::ObservationRequest<'_>,
    ) -> std::collections::BTreeMap<
        model::resource::ResourceId,
        model::observe::Observation<model::observe::ResourcePropertiesByKind>,
    > {
        self.0.observe_resources(request)
    }
    fn apply_change(
        &mut self,
        change: &model::plan::PlannedChange,
        packages: &[std::path::PathBuf],
    ) -> Result<Option<String>, converge::HostError> {
        match change.action {
            model::plan::PlannedAction::InstallPackages(_) => Ok(None),
            _ => self.0.apply_change(change, packages),
        }
    }
    fn run_health_probe(&self, probe: &model::health::HealthProbe) -> Result<(), String> {
        self.0.run_health_probe(probe)
    }
}
