//! Where the deployment that is evaluated comes from: the package, and never its installed copy.

use std::{fs, path::Path};

use converge::{PackageFetchError, PackageFetcher, PackagePin, PunchStateFolder, RealHost};
use model::{node::Node, observe::sha256_hex, report::RunOutcome};

use crate::{
    skip::has_tool,
    story::{self, Component, PackageFolder},
};

const ONE: &str = "format: geppetto/manifest/1\nresources: [{file: /etc/one, content: one}]\n";
const OWNED: &str = "format: geppetto/manifest/1\nresources: [{file: /etc/owned, content: owned}]\n";
const APP: Component<'_> =
    Component { name: "app", version: "1.0", says: "", manifest: ONE, templates: &[], payload: &[] };

/// A source that has nothing any more.
struct NoPackages;

impl PackageFetcher for NoPackages {
    fn fetch_and_verify_package(
        &mut self,
        pin: &PackagePin,
    ) -> Result<std::path::PathBuf, PackageFetchError> {
        panic!("{} is fetched", pin.name)
    }
}

fn plan_text(node: &Node, root: &Path, packages: &mut dyn PackageFetcher) -> String {
    let machine = RealHost::new(root, story::no_http).unwrap();
    let state = PunchStateFolder::from_root_path(root);
    let look =
        converge::fetch_deployments_and_observe_host(node, &machine, &state, packages, Default::default(), 0)
            .unwrap();
    model::plan::plan_host_changes(&look.wanted, &look.observed, &Default::default()).to_string()
}

fn apply(node: &Node, root: &Path, packages: &mut PackageFolder) {
    let mut machine = RealHost::new(root, story::no_http).unwrap();
    let state = PunchStateFolder::from_root_path(root);
    let run = story::run(node, &mut machine, &state, packages);
    assert_eq!(run.report.outcome, RunOutcome::Changed, "{}\n{:#?}", run.plan, run.report);
}

/// A node file that pins the deployment package of `packages`.
fn pinned(packages: &PackageFolder) -> Node {
    let file = &packages.files[&("app-deployment".to_owned(), "1.0".to_owned())];
    let bytes = fs::read(file).unwrap();
    let (sha256, size) = (sha256_hex(&bytes), bytes.len());
    story::node(&format!(
        "\n  app:\n    version: 1.0-1\n    deployment: {{name: app-deployment, file: app-deployment-1.0-1.noarch.rpm, sha256: {sha256}, size: {size}}}"
    ))
}

#[test]
fn edited_manifest_on_the_host_is_not_obeyed() {
    if !has_tool("rpm") {
        return;
    }
    let mut packages = PackageFolder::new().with(&APP);
    for node in [story::node(" {app: {version: \"1.0\"}}"), pinned(&packages)] {
        let root = tempfile::tempdir().unwrap();
        apply(&node, root.path(), &mut packages);
        let installed = root.path().join("usr/share/geppetto/components/app/manifest.yaml");
        assert!(installed.exists());
        fs::write(&installed, OWNED).unwrap();
        let plan = plan_text(&node, root.path(), &mut NoPackages);
        assert!(!plan.contains("/etc/owned") && plan.contains("app-deployment 1.0-1 again"), "{plan}");
        assert!(plan.contains("/usr/share/geppetto/components/app/manifest.yaml: content changed"));
    }
}

#[test]
fn pinned_package_beats_an_installed_one_of_the_same_version() {
    if !has_tool("rpm") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut other = PackageFolder::new().with(&Component { manifest: OWNED, ..APP });
    apply(&story::node(" {app: {version: \"1.0\"}}"), root.path(), &mut other);
    let mut packages = PackageFolder::new().with(&APP);
    let node = pinned(&packages);
    let plan = plan_text(&node, root.path(), &mut packages);
    assert!(plan.contains("create file:/etc/one") && plan.contains("remove file:/etc/owned"), "{plan}");
}

#[test]
fn damaged_kept_package_is_fetched_again() {
    if !has_tool("rpm") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut packages = PackageFolder::new().with(&APP);
    let node = story::node(" {app: {version: \"1.0\"}}");
    apply(&node, root.path(), &mut packages);
    let objects = root.path().join("var/lib/geppetto/punch/objects");
    for object in fs::read_dir(objects).unwrap() {
        fs::write(object.unwrap().path(), "rot").unwrap();
    }
    let plan = plan_text(&node, root.path(), &mut packages);
    assert!(plan.starts_with("nothing to do"), "{plan}");
}
