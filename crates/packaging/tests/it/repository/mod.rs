//! The repository, judged by `dnf` and `createrepo_c`.

mod dnf;

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::{component::Component, name::Name, wire::Received};
use packaging::{
    openpgp::SecretKey,
    repository::{Repository, RepositoryError},
};
use tempfile::TempDir;

use crate::tools::{NOON, Rpm, key};

const LIMIT: u64 = 64 << 20;

/// A fresh repository, and a folder to build packages in.
struct Ground {
    folder: TempDir,
    repository: Repository,
    packager: SecretKey,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("built")).unwrap();
        let repository = Repository::create(&folder.path().join("repository"), key("repository")).unwrap();
        let packager = key("packager");
        repository.trust(&packager.public_armored().unwrap()).unwrap();
        Self { folder, repository, packager }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn built(&self) -> PathBuf {
        self.folder.path().join("built")
    }

    fn channel(&self, channel: &str) -> PathBuf {
        self.root().join("channels").join(channel)
    }

    fn receive(&self, rpm: &Path) -> Result<Received, RepositoryError> {
        let file = rpm.file_name().unwrap().to_str().unwrap();
        self.repository.receive(fs::File::open(rpm).unwrap(), file, LIMIT)
    }

    /// Builds, signs and receives a package; returns its file name.
    fn take(&self, rpm: Rpm) -> String {
        let path = rpm.build(&self.built(), Some(&self.packager));
        self.receive(&path).unwrap().file
    }

    /// Both packages of a component version, received; `requires` are `name range`.
    fn component(&self, name: &str, version: &str, requires: &[(&str, &str)]) -> Vec<String> {
        vec![self.take(payload(name, version)), self.take(deployment(name, version, requires))]
    }

    fn publish(&self, channel: &str, files: &[String]) -> model::wire::Published {
        self.repository.publish(&name(channel), files, NOON).unwrap()
    }
}

fn payload(name: &str, version: &str) -> Rpm {
    Rpm::new(name, version).provides(&format!("geppetto-component({name})"), &format!("{version}-1"))
}

fn deployment(name: &str, version: &str, requires: &[(&str, &str)]) -> Rpm {
    let component = serde_json::json!({
        "name": name,
        "version": format!("{version}-1"),
        "kind": "web-service",
        "summary": format!("The component {name}"),
        "requires": requires.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let _: Component = serde_json::from_value(component.clone()).unwrap();
    Rpm::new(&format!("{name}-deployment"), version)
        .provides(&format!("geppetto-deployment({name})"), &format!("{version}-1"))
        .file(
            &format!("/usr/share/geppetto/components/{name}/component.json"),
            component.to_string().as_bytes(),
        )
}
