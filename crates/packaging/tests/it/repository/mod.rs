//! The repository, judged by `dnf` and `createrepo_c`.

mod catalog_after;
mod channels;
mod check;
mod concurrent;
mod dnf;
mod full_disk;
mod keys;
mod leftovers;
mod metadata;
mod promote;
mod publish;
mod receive;
mod retain;
mod withdraw;

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::{component::Component, name::Name, wire::UploadedPackage};
use packaging::{
    openpgp::SecretKey,
    repository::{Repository, RepositoryError},
};
use tempfile::TempDir;

use crate::tools::{NOON, Rpm, key};

const LIMIT: u64 = 64 << 20;

/// A fresh repository, and a folder to build packages in.
struct TestRepository {
    folder: TempDir,
    repository: Repository,
    packager: SecretKey,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl TestRepository {
    fn new() -> Self {
        // In memory where possible: everything is flushed to the disk, which is most of these tests' time.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        fs::create_dir(folder.path().join("built")).unwrap();
        let repository =
            Repository::create_repository(&folder.path().join("repository"), key("repository")).unwrap();
        for channel in ["dev", "prod"] {
            repository.create_channel_if_absent(&name(channel), None, NOON).unwrap();
        }
        let packager = key("packager");
        repository.trust_keys(&packager.armored_public_key().unwrap()).unwrap();
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

    fn receive(&self, rpm: &Path) -> Result<UploadedPackage, RepositoryError> {
        let file = rpm.file_name().unwrap().to_str().unwrap();
        self.repository.receive_package(fs::File::open(rpm).unwrap(), file, LIMIT)
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

    fn publish(&self, channel: &str, files: &[String]) -> model::wire::FilesAddedToChannel {
        self.repository.publish_received_packages_in_channel(&name(channel), files, NOON).unwrap()
    }
}

fn payload(name: &str, version: &str) -> Rpm {
    Rpm::new(name, version).provides(&format!("geppetto-component({name})"), &format!("{version}-1"))
}

fn deployment(name: &str, version: &str, requires: &[(&str, &str)]) -> Rpm {
    deployment_with(name, version, requires, &serde_json::json!({}))
}

/// A deployment package whose description has the keys of `extra`, too.
fn deployment_with(name: &str, version: &str, requires: &[(&str, &str)], extra: &serde_json::Value) -> Rpm {
    let mut component = serde_json::json!({
        "name": name,
        "version": format!("{version}-1"),
        "kind": "web-service",
        "summary": format!("The component {name}"),
        "requires": requires.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let _: Component = serde_json::from_value(component.clone()).unwrap();
    component.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Rpm::new(&format!("{name}-deployment"), version)
        .provides(&format!("geppetto-deployment({name})"), &format!("{version}-1"))
        .file(
            &format!("/usr/share/geppetto/components/{name}/component.json"),
            component.to_string().as_bytes(),
        )
}

/// Every file below `folder`, relative to it.
fn tree(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// The files a channel shows, by its metadata.
fn visible(test: &TestRepository, channel: &str) -> Vec<String> {
    use std::io::Read;
    let repodata = test.channel(channel).join("repodata");
    let repomd = fs::read_to_string(repodata.join("repomd.xml")).unwrap();
    let start = repomd.find("repodata/").unwrap();
    let end = repomd.find("-primary.xml.gz").unwrap() + "-primary.xml.gz".len();
    let mut xml = String::new();
    let packed = fs::File::open(test.channel(channel).join(&repomd[start..end])).unwrap();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut xml).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let root = document.root_element();
    let mut files: Vec<String> = root
        .descendants()
        .filter(|node| node.has_tag_name(("http://linux.duke.edu/metadata/common", "location")))
        .map(|node| node.attribute("href").unwrap().strip_prefix("packages/").unwrap().to_owned())
        .collect();
    assert_eq!(root.attribute("packages"), Some(files.len().to_string().as_str()));
    files.sort();
    files
}
