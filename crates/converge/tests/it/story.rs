//! Fixtures: components as packages in a folder, node files, and a run from node file to report.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use converge::{
    CannotApplyCause, CannotApplyNodeError, DesiredAndObservedHost, Host, PackageFetchError, PackageFetcher,
    PackagePin, PayloadVerification, PunchStateFolder, RepairOccasion,
};
use model::{
    format,
    health::HttpAnswer,
    node::Node,
    plan::{Plan, PlanLimits},
    report::Report,
};
use tempfile::TempDir;

/// A folder of packages.
pub(crate) struct PackageFolder {
    pub(crate) folder: TempDir,
    pub(crate) files: BTreeMap<(String, String), PathBuf>,
}

/// A component to be packaged.
#[derive(Clone, Copy)]
pub(crate) struct Component<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// More members of component.json, each followed by a comma: `"requires": {...},`.
    pub(crate) says: &'a str,
    pub(crate) manifest: &'a str,
    pub(crate) templates: &'a [(&'a str, &'a str)],
    /// Files of the payload: path, content, owner.
    pub(crate) payload: &'a [(&'a str, &'a str, &'a str)],
}

impl PackageFolder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), files: BTreeMap::new() }
    }

    /// Packages a component as `punch package` does.
    pub(crate) fn with(self, component: &Component<'_>) -> Self {
        self.with_payload(component, |_| ())
    }

    /// The same with more in its payload.
    pub(crate) fn with_payload(
        mut self,
        component: &Component<'_>,
        more: impl FnOnce(&mut rpm::PackageBuilder),
    ) -> Self {
        let Component { name, version, says, manifest, templates, payload } = component;
        let json = format!(
            r#"{{"name": "{name}", "version": "{version}-1", "kind": "os-config", {says} "summary": "a test"}}"#
        );
        let folder = format!("/usr/share/geppetto/components/{name}");
        let mut deployment = rpm::PackageBuilder::new(
            &format!("{name}-deployment"),
            version,
            "Apache-2.0",
            "noarch",
            "how it is deployed",
        );
        let mut add = |path: String, text: &str| {
            deployment.with_file_contents(text.as_bytes(), rpm::FileOptions::new(path)).unwrap();
        };
        add(format!("{folder}/component.json"), &json);
        add(format!("{folder}/manifest.yaml"), manifest);
        for (path, text) in *templates {
            add(format!("{folder}/templates/{path}"), text);
        }
        self.keep(&format!("{name}-deployment"), version, &mut deployment);

        let mut package = rpm::PackageBuilder::new(name, version, "Apache-2.0", "noarch", "what runs");
        let described: serde_json::Value = serde_json::from_str(&json).unwrap();
        for required in described["requires"].as_object().into_iter().flat_map(|requires| requires.keys()) {
            package.requires(rpm::Dependency::any(required));
        }
        for (path, text, owner) in *payload {
            let options = rpm::FileOptions::new(*path).user(*owner).group(*owner);
            package.with_file_contents(text.as_bytes(), options).unwrap();
        }
        more(&mut package);
        self.keep(name, version, &mut package);
        self
    }

    /// Without compression: it would take most of the time of a test.
    fn keep(&mut self, name: &str, version: &str, package: &mut rpm::PackageBuilder) {
        let path = self.folder.path().join(format!("{name}-{version}-1.noarch.rpm"));
        package
            .release("1")
            .using_config(rpm::BuildConfig::default().compression(rpm::CompressionType::None))
            .build()
            .unwrap()
            .write_file(&path)
            .unwrap();
        self.files.insert((name.to_owned(), version.to_owned()), path);
    }
}

impl PackageFetcher for PackageFolder {
    fn fetch_and_verify_package(&mut self, pin: &PackagePin) -> Result<PathBuf, PackageFetchError> {
        let key = (pin.name.clone(), pin.version.version_without_release().to_owned());
        self.files.get(&key).cloned().ok_or_else(|| PackageFetchError {
            message: format!("there is no {} {}", pin.name, pin.version),
            cause: CannotApplyCause::WrongInput,
        })
    }
}

/// A node file from the lines under `components:`.
pub(crate) fn node(components: &str) -> Node {
    let text = format!("format: geppetto/node/1\nserver: web-01\ncomponents:{components}\n");
    format::node::parse_node_yaml("node.yaml", &text).unwrap()
}

/// One run: look, plan, apply.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) report: Report,
}

pub(crate) fn look(
    node: &Node,
    host: &dyn Host,
    state: &PunchStateFolder,
    package_folder: &mut PackageFolder,
) -> Result<DesiredAndObservedHost, Vec<CannotApplyNodeError>> {
    converge::fetch_deployments_and_observe_host(
        node,
        host,
        state,
        package_folder,
        PayloadVerification::Changed,
        1_700_000_000_000_000,
    )
}

pub(crate) fn run(
    node: &Node,
    host: &mut dyn Host,
    state: &PunchStateFolder,
    package_folder: &mut PackageFolder,
) -> Run {
    let _lock = state.acquire_run_lock().unwrap();
    let repairs = converge::repair_interrupted_work(host, state, RepairOccasion::RunBegins).unwrap();
    let mut look = look(node, host, state, package_folder).unwrap();
    look.repairs = repairs;
    let mut plan =
        model::plan::plan_host_changes(&look.wanted, &look.observed, &PlanLimits { max_removals: 50 });
    let mut fetched = converge::fetch_packages_of_plan(&look, &plan, package_folder).unwrap();
    converge::block_plan_on_path_conflicts(&look, &mut plan, &mut fetched, host, state).unwrap();
    let report = converge::apply_plan(node, &look, &plan, &fetched, host, state, &mut |_| (), &|| {
        1_700_000_000_000_000
    })
    .unwrap();
    Run { plan, report }
}

/// The plan alone; nothing is touched.
pub(crate) fn plan(
    node: &Node,
    host: &dyn Host,
    state: &PunchStateFolder,
    package_folder: &mut PackageFolder,
) -> Plan {
    let look = look(node, host, state, package_folder).unwrap();
    model::plan::plan_host_changes(&look.wanted, &look.observed, &PlanLimits::default())
}

/// Every path under `root` with its type, mode and content, but for what punch and rpm note there.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            let noted = ["root/.rpmdb", "var/lib/rpm", "var/lib/geppetto", "etc/passwd-", "etc/group-"];
            if noted.contains(&shown.as_str()) {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                todo.push(path);
                continue;
            }
            use std::os::unix::fs::MetadataExt;
            let content = if meta.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            lines.push(format!("{shown} {:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()));
        }
    }
    lines.sort();
    lines
}

/// An HTTP client for hosts whose components have no HTTP health check.
pub(crate) fn no_http(url: &str, _: u64) -> Result<HttpAnswer, String> {
    panic!("{url} is asked")
}
