//! A run killed by SIGKILL at any step leaves a truthful report and a host that the next run completes.

use crate::skip::has_tool;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
};

use converge::{
    Host, HostError, ObservedPackagePaths, PackagePathsRequest, PayloadDriftRequest, PunchStateFolder,
    RealHost, VerifiedPayloads,
};
use model::{
    health::HealthProbe,
    observe::{Observation, ObservationRequest, OsFamily, PayloadDrift, ResourcePropertiesByKind},
    plan::PlannedChange,
    report::{ReportEntryResult, RunOutcome},
    resource::ResourceId,
    version::Version,
};
use nix::{sys::signal, unistd::Pid};

use crate::story::{self, Component, PackageFolder};

const PART: Component<'_> = Component {
    name: "part",
    version: "1.0",
    says: "",
    manifest: "
format: geppetto/manifest/1
resources:
  - {user: part, system: true}
  - {directory: /etc/part, owner: part}
  - {file: /etc/part/one, content: one}
  - {symlink: /etc/part/two, target: one}
  - {cron: part, schedule: \"@daily\", command: /usr/lib/part/run}
",
    templates: &[],
    payload: &[("/usr/lib/part/run", "#!/bin/sh\n", "part")],
};

/// How many changes the story has.
const STEPS: usize = 7;

const ROOT: &str = "GEPPETTO_TEST_KILLED_ROOT";
const STEP: &str = "GEPPETTO_TEST_KILLED_STEP";

/// A real host that kills its own process in the middle of its n-th step: after the change was made,
/// before anybody could note that it was.
pub(crate) struct SelfKillingHost {
    pub(crate) machine: RealHost,
    pub(crate) left: usize,
}

impl Host for SelfKillingHost {
    fn os_family(&self) -> Option<OsFamily> {
        self.machine.os_family()
    }
    fn is_systemd_running(&self) -> bool {
        self.machine.is_systemd_running()
    }
    fn can_run_commands(&self) -> bool {
        self.machine.can_run_commands()
    }
    fn observe_component_packages(&self, names: &[String]) -> BTreeMap<String, Observation<Version>> {
        self.machine.observe_component_packages(names)
    }
    fn observe_package_paths(
        &self,
        request: &PackagePathsRequest<'_>,
    ) -> Result<ObservedPackagePaths, HostError> {
        self.machine.observe_package_paths(request)
    }
    fn observe_payload_drift(
        &self,
        request: &PayloadDriftRequest<'_>,
        known: &mut VerifiedPayloads,
    ) -> BTreeMap<String, Result<PayloadDrift, String>> {
        self.machine.observe_payload_drift(request, known)
    }
    fn observe_resources(
        &self,
        request: &ObservationRequest<'_>,
    ) -> BTreeMap<ResourceId, Observation<ResourcePropertiesByKind>> {
        self.machine.observe_resources(request)
    }
    fn open_file_to_save(&self, id: &ResourceId) -> Result<Option<fs::File>, HostError> {
        self.machine.open_file_to_save(id)
    }
    fn remove_temporary_files(&mut self, resources: &BTreeSet<ResourceId>) -> Result<(), HostError> {
        self.machine.remove_temporary_files(resources)
    }
    fn apply_change(
        &mut self,
        change: &PlannedChange,
        packages: &[PathBuf],
    ) -> Result<Option<String>, HostError> {
        if self.left == 0 {
            self.machine.apply_change(change, packages).unwrap();
            signal::kill(Pid::this(), signal::Signal::SIGKILL).unwrap();
        }
        self.left -= 1;
        self.machine.apply_change(change, packages)
    }
    fn run_health_probe(&self, probe: &HealthProbe) -> Result<(), String> {
        self.machine.run_health_probe(probe)
    }
}

#[test]
fn run_killed_at_any_step_is_completed_by_the_next_run_and_can_be_undone() {
    if let (Some(root), Some(step)) = (std::env::var_os(ROOT), std::env::var_os(STEP)) {
        return die(Path::new(&root), step.to_str().unwrap().parse().unwrap());
    }
    if !has_tool("rpm") || !has_tool("useradd") {
        return;
    }
    let whole = prepared();
    let before = story::listing(whole.path());
    let node = story::node(" {part: {version: \"1.0\"}}");
    let mut package_folder = PackageFolder::new().with(&PART);
    let run = story::run(
        &node,
        &mut RealHost::new(whole.path(), story::no_http).unwrap(),
        &PunchStateFolder::from_root_path(whole.path()),
        &mut package_folder,
    );
    assert_eq!(run.plan.changes.len(), STEPS, "{}", run.plan);
    let wanted = story::listing(whole.path());

    for step in 0..STEPS {
        let root = prepared();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::run_killed_at_any_step_is_completed_by_the_next_run_and_can_be_undone",
            ])
            .env(ROOT, root.path())
            .env(STEP, step.to_string())
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), Some(9), "{}", String::from_utf8_lossy(&child.stdout));

        let state = PunchStateFolder::from_root_path(root.path());
        let report = state.read_interrupted_report().unwrap().unwrap();
        assert_eq!(report.outcome, RunOutcome::Interrupted);
        let results: Vec<ReportEntryResult> = report.entries.iter().map(|entry| entry.result).collect();
        let mut truth = vec![ReportEntryResult::Done; step];
        truth.push(ReportEntryResult::Interrupted);
        assert_eq!(results, truth, "killed at step {step}");

        let next = story::run(
            &node,
            &mut RealHost::new(root.path(), story::no_http).unwrap(),
            &state,
            &mut package_folder,
        );
        assert_ne!(next.report.outcome, RunOutcome::Failed, "{:#?}", next.report);
        assert_eq!(story::listing(root.path()), wanted, "killed at step {step}");
        assert!(state.read_interrupted_report().unwrap().is_none());
        assert_eq!(state.read_all_reports().unwrap().len(), 2, "the killed run is in the history");

        // Nothing the killed run made was forgotten.
        story::run(
            &story::node(" {}"),
            &mut RealHost::new(root.path(), story::no_http).unwrap(),
            &state,
            &mut package_folder,
        );
        assert_eq!(story::listing(root.path()), before, "killed at step {step}");
    }
}

fn die(root: &Path, step: usize) {
    let mut host = SelfKillingHost { machine: RealHost::new(root, story::no_http).unwrap(), left: step };
    let node = story::node(" {part: {version: \"1.0\"}}");
    story::run(
        &node,
        &mut host,
        &PunchStateFolder::from_root_path(root),
        &mut PackageFolder::new().with(&PART),
    );
}

fn prepared() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
    root
}
