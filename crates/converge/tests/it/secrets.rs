//! A secret gets into its file and nowhere else, whichever version of a component put it there.

use crate::skip::has_tool;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use converge::{Host as _, PunchStateFolder, RealHost, SecretMaskingHost, memory_host::MemoryHost};
use model::resource::{ExecResourceBody, Resource, ResourceBody, ResourceId, ResourceKind};

use crate::{
    host_with_users::{change, resource},
    story::{self, Component, PackageFolder},
};

const SECRET: &str = "tops3cret";

fn component<'a>(version: &'a str, manifest: &'a str) -> Component<'a> {
    Component {
        name: "shop",
        version,
        says: r#""parameters": {"password": {"type": "string", "description": "x", "secret": true}},"#,
        manifest,
        templates: &[],
        payload: &[],
    }
}

fn node(version: &str) -> model::node::Node {
    story::node(&format!(
        "\n  shop: {{version: {version}, secrets: [password], values: {{password: {SECRET}}}}}"
    ))
}

const OPEN: &str =
    "format: geppetto/manifest/1\nresources: [{file: /etc/shop, content: open, mode: \"0644\"}]\n";
const CLOSED: &str =
    "format: geppetto/manifest/1\nresources: [{file: /etc/shop, content: \"p={{ password }}\"}]\n";
const DROPPED: &str = "format: geppetto/manifest/1\nresources: [{file: /etc/shop, content: other}]\n";

#[test]
fn file_that_gains_a_secret_gets_mode_0600_and_plans_mask_the_secret() {
    if !has_tool("rpm") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(root.path());
    let mut package_folder = PackageFolder::new()
        .with(&component("1.0.0", OPEN))
        .with(&component("2.0.0", CLOSED))
        .with(&component("3.0.0", DROPPED));
    let machine = || RealHost::new(root.path(), story::no_http).unwrap();
    story::run(&node("1.0.0"), &mut machine(), &state, &mut package_folder);
    let closed = story::run(&node("2.0.0"), &mut machine(), &state, &mut package_folder);
    assert!(!closed.plan.to_string().contains(SECRET), "{}", closed.plan);
    let file = root.path().join("etc/shop");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("p={SECRET}"));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    // Somebody opens it: that is a difference.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!story::plan(&node("2.0.0"), &machine(), &state, &mut package_folder).has_no_changes_or_blocks());

    // The file may be open or closed, and the new version need not know that there ever was a secret.
    let last = node("2.0.0");
    for mode in [0o644, 0o600] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let host = SecretMaskingHost::new(machine(), [&last]);
        let plan = story::plan(&story::node(" {shop: {version: 3.0.0}}"), &host, &state, &mut package_folder)
            .to_string();
        assert!(plan.contains("content:") && !plan.contains(SECRET), "{plan}");
    }
}

#[test]
fn secret_in_host_messages_is_masked_in_plan_and_report() {
    let node = node("1.0.0");
    let folder = tempfile::tempdir().unwrap();
    let state = PunchStateFolder::from_root_path(folder.path());
    let mut package_folder = PackageFolder::new().with(&component("1.0.0", OPEN));
    let id = ResourceId { kind: ResourceKind::File, name: "/etc/shop".to_owned() };
    let mut host = MemoryHost::default();
    host.unreadable.insert(id, format!("`ask {SECRET}` had not ended"));
    let mut host = SecretMaskingHost::new(host, [&node]);
    let run = story::run(&node, &mut host, &state, &mut package_folder);
    let found = format!("{}{:?}", run.plan, run.report);
    assert!(found.contains("`ask ******` had not ended") && !found.contains(SECRET), "{found}");

    let sick = Some(format!("password {SECRET} is wrong"));
    let host = MemoryHost { booted: true, sick, ..MemoryHost::default() };
    let checked = "format: geppetto/manifest/1\nhealth: [{tcp: \"127.0.0.1:1\", within: 0}]\n";
    let mut package_folder = PackageFolder::new().with(&component("1.0.0", checked));
    let run = story::run(&node, &mut SecretMaskingHost::new(host, [&node]), &state, &mut package_folder);
    let found = format!("{:?}", run.report);
    assert!(found.contains("password ****** is wrong") && !found.contains(SECRET), "{found}");
}

#[test]
fn secret_in_the_environment_of_an_exec_reaches_it_and_its_output_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "echo $PASSWORD >{at}/got; tr '\\0' ' ' </proc/$$/cmdline >{at}/arguments; echo said $PASSWORD; exit 1",
        at = folder.path().display()
    );
    let exec = ExecResourceBody {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
        environment: [("PASSWORD".to_owned(), SECRET.to_owned())].into(),
        refresh_only: true,
        timeout: 30,
        ..ExecResourceBody::default()
    };
    let login = Resource { secret: true, ..resource("exec:login", ResourceBody::Exec(exec)) };
    // A command needs the programs of this machine; nothing else of it is touched.
    let mut host = RealHost::new(Path::new("/"), story::no_http).unwrap();
    let error = host.apply_change(&change(&login), &[]).unwrap_err().to_string();
    assert_eq!(error, "the command failed; its output is not shown, because a secret is given to it");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("got"), format!("{SECRET}\n"));
    assert!(read("arguments").starts_with("/bin/sh -c") && !read("arguments").contains(SECRET));
}
