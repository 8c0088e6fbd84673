//! A full disk is a sentence, not a broken repository.

use crate::skip::skip;
use std::{fs, path::PathBuf, process::Command};

use packaging::repository::Repository;

use super::{LIMIT, name};
use crate::tools::{NOON, Rpm, key};

/// A tiny file system of its own, gone when dropped.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn full_disk_leaves_the_repository_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tiny) = Tiny::mount(folder.path().join("tiny")) else {
        skip("mounting a tmpfs is not allowed here (needs root)");
        return;
    };
    let packager = key("packager");
    let repository = Repository::create_repository(&tiny.0, key("repository")).unwrap();
    repository.create_channel_if_absent(&name("dev"), None, NOON).unwrap();
    repository.trust_keys(&packager.armored_public_key().unwrap()).unwrap();
    let built = folder.path().join("built");
    fs::create_dir(&built).unwrap();
    let (mut published, mut errors) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let path = Rpm::new(&format!("tool{n:02}"), "1.0").build(&built, Some(&packager));
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let done = repository.receive_package(fs::File::open(&path).unwrap(), &file, LIMIT).and_then(|_| {
            repository.publish_received_packages_in_channel(
                &name("dev"),
                std::slice::from_ref(&file),
                NOON + n * 7200,
            )
        });
        match done {
            Ok(_) => published.push(file),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert!(!published.is_empty() && !errors.is_empty(), "{published:?} {errors:?}");
    for error in &errors {
        assert!(
            error.contains("No space left on device")
                && error.contains("nothing was published: free some space"),
            "{error}"
        );
    }
    // An old process and a new one see the same whole repository, and it can still be cleaned.
    let repository = Repository::open_repository_and_clean_incoming(&tiny.0).unwrap();
    assert_eq!(repository.check_repository().unwrap(), []);
    let primary = fs::read_to_string(tiny.0.join("channels/dev/repodata/repomd.xml")).unwrap();
    assert!(primary.contains(&format!("<revision>{}</revision>", 1 + published.len())), "{primary}");
}
