//! A folder that stands for a host with users, and changes on it. Only root can act for other users.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
    path::{Path, PathBuf},
};

use converge::{Host, HostError, PunchStateFolder, RealHost};
use model::{
    observe::{Observation, ObservationRequest},
    plan::{Plan, PlannedAction, PlannedChange},
    report::Report,
    resource::{DirectoryResourceBody, FileResourceBody, Ownership, Resource, ResourceBody, ResourceId},
};

use crate::{
    skip::skip,
    story::{self, Component, PackageFolder},
};

pub(crate) const VIC: u32 = 64_001;
pub(crate) const BOB: u32 = 64_002;

/// A folder that stands for a host with the users vic and bob, who are both in the group team.
pub(crate) struct HostWithUsers {
    pub(crate) root: tempfile::TempDir,
}

/// Whether the test runs as root; else it is skipped.
pub(crate) fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip("only root can act for other users");
    }
    root
}

impl HostWithUsers {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let host = Self { root };
        for folder in ["etc/tmpfiles.d", "home", "srv", "var/lib"] {
            host.folder(folder, 0, 0o755);
        }
        let passwd = format!(
            "root:x:0:0:root:/root:/bin/sh\nvic:x:{VIC}:{VIC}::/home/vic:/bin/sh\nbob:x:{BOB}:{BOB}::/home/bob:/bin/sh\n"
        );
        fs::write(host.at("etc/passwd"), passwd).unwrap();
        let group =
            format!("root:x:0:\nvic:x:{VIC}:\nbob:x:{BOB}:\nteam:x:64010:vic,bob\nnobodys:x:64011:\n");
        fs::write(host.at("etc/group"), group).unwrap();
        host
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Makes a folder of this owner and mode.
    pub(crate) fn folder(&self, path: &str, owner: u32, mode: u32) {
        fs::create_dir_all(self.at(path)).unwrap();
        chown(self.at(path), Some(owner), Some(owner)).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Makes a link of this owner.
    pub(crate) fn link(&self, path: &str, target: &str, owner: u32) {
        symlink(target, self.at(path)).unwrap();
        lchown(self.at(path), Some(owner), Some(owner)).unwrap();
    }

    pub(crate) fn machine(&self) -> RealHost {
        RealHost::new(self.root.path(), story::no_http).unwrap()
    }

    /// What is seen of a file without a stated owner.
    pub(crate) fn observe(&self, path: &str) -> Observation<()> {
        self.observe_resource(&file(path, None))
    }

    pub(crate) fn observe_resource(&self, resource: &Resource) -> Observation<()> {
        let request = ObservationRequest::request_for_only_these_resources([resource]);
        self.machine().observe_resources(&request).remove(&resource.id).unwrap().map_present(drop)
    }

    pub(crate) fn apply(&self, resource: &Resource) -> Result<Option<String>, HostError> {
        self.machine().apply_change(&change(resource), &[])
    }

    pub(crate) fn plan_and_run(&self, manifests: &[(&str, &str)]) -> (Plan, Report) {
        let mut packages = PackageFolder::new();
        for (name, resources) in manifests {
            let manifest = format!("format: geppetto/manifest/1\nresources:\n{resources}");
            let component = Component {
                name,
                version: "1.0",
                says: "",
                manifest: &manifest,
                templates: &[],
                payload: &[],
            };
            packages = packages.with(&component);
        }
        let names = manifests.iter().map(|(name, _)| format!("{name}: {{version: \"1.0\"}}"));
        let node = story::node(&format!(" {{{}}}", names.collect::<Vec<_>>().join(", ")));
        let state = PunchStateFolder::from_root_path(self.root.path());
        let run = story::run(&node, &mut self.machine(), &state, &mut packages);
        (run.plan, run.report)
    }

    pub(crate) fn owner_and_mode(&self, path: &str) -> (u32, u32) {
        let metadata = fs::symlink_metadata(self.at(path)).unwrap();
        (metadata.uid(), metadata.mode() & 0o7777)
    }
}

pub(crate) fn resource(id: &str, body: ResourceBody) -> Resource {
    Resource {
        id: ResourceId::try_from(id.to_owned()).unwrap(),
        present: true,
        body,
        require: Vec::new(),
        notify: Vec::new(),
        secret: false,
    }
}

pub(crate) fn file(path: &str, owner: Option<&str>) -> Resource {
    let ownership = Ownership { owner: owner.map(str::to_owned), ..Ownership::default() };
    let body = ResourceBody::File(FileResourceBody { content: "x".into(), ownership, validate: None });
    resource(&format!("file:{path}"), body)
}

pub(crate) fn directory(path: &str, owner: Option<&str>, mode: Option<u32>) -> Resource {
    let ownership = Ownership { owner: owner.map(str::to_owned), group: None, mode };
    resource(&format!("directory:{path}"), ResourceBody::Directory(DirectoryResourceBody { ownership }))
}

pub(crate) fn change(resource: &Resource) -> PlannedChange {
    PlannedChange {
        action: PlannedAction::Apply(Box::new(resource.clone())),
        components: Default::default(),
        differences: Vec::new(),
        creates: true,
        notifies: Vec::new(),
    }
}

/// The reason of an unsafe observation.
pub(crate) fn reason(observed: Observation<()>) -> String {
    match observed {
        Observation::Unsafe(because) => because,
        other => panic!("it is not unsafe: {other:?}"),
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
