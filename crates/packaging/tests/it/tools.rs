//! The real tools that judge our work, and small packages to judge.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use packaging::openpgp::SecretKey;

/// 2023-11-14, for everything that wants a time.
pub(crate) const NOON: u32 = 1_700_000_000;

/// Runs a command; returns what it wrote (both streams) if it succeeded, panics with it otherwise.
pub(crate) fn run(command: &mut Command) -> String {
    let (output, text) = output(command);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// Runs a command that must fail; returns what it wrote.
pub(crate) fn fails(command: &mut Command) -> String {
    let (output, text) = output(command);
    assert!(!output.status.success(), "{command:?} succeeded:\n{text}");
    text
}

fn output(command: &mut Command) -> (Output, String) {
    let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

/// A key of the test's own.
pub(crate) fn key(name: &str) -> SecretKey {
    SecretKey::generate_secret_key(&format!("{name} <{name}@example.org>"), NOON).unwrap()
}

/// A small package with one file, built without our packager.
pub(crate) struct Rpm {
    name: String,
    version: String,
    arch: String,
    provides: Vec<(String, String)>,
    requires: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    modes: Vec<(String, u16)>,
}

impl Rpm {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: "noarch".to_owned(),
            provides: Vec::new(),
            requires: Vec::new(),
            files: vec![(format!("/usr/share/{name}/hello"), format!("{name} {version}\n").into_bytes())],
            modes: Vec::new(),
        }
    }

    pub(crate) fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// The permissions of a file; the others have those of [`rpm::FileOptions`].
    pub(crate) fn mode(mut self, path: &str, mode: u16) -> Self {
        self.modes.push((path.to_owned(), mode));
        self
    }

    pub(crate) fn provides(mut self, name: &str, version: &str) -> Self {
        self.provides.push((name.to_owned(), version.to_owned()));
        self
    }

    pub(crate) fn arch(mut self, arch: &str) -> Self {
        arch.clone_into(&mut self.arch);
        self
    }

    pub(crate) fn requires(mut self, name: &str) -> Self {
        self.requires.push(name.to_owned());
        self
    }

    /// The same content under another name and version.
    pub(crate) fn renamed(mut self, name: &str, version: &str) -> Self {
        self.name = name.to_owned();
        self.version = version.to_owned();
        self
    }

    /// Writes `NAME-VERSION-1.ARCH.rpm` into `folder`, signed by `key` if one is given.
    pub(crate) fn build(self, folder: &Path, key: Option<&SecretKey>) -> PathBuf {
        let mut builder = rpm::PackageBuilder::new(
            &self.name,
            &self.version,
            "Apache-2.0",
            &self.arch,
            &format!("A test: {}", self.name),
        );
        builder
            .release("1")
            .description("Tells <tags> & \"quotes\" apart.")
            .using_config(rpm::BuildConfig::v4().source_date(NOON).compression(rpm::CompressionType::Zstd));
        for (name, version) in &self.provides {
            builder.provides(rpm::Dependency::eq(name, version));
        }
        for name in &self.requires {
            builder.requires(rpm::Dependency::any(name));
        }
        for (path, content) in self.files {
            let mode = self.modes.iter().find(|(of, _)| *of == path).map(|(_, mode)| *mode);
            let options = rpm::FileOptions::new(path);
            let options = match mode {
                Some(mode) => options.mode(0o100_000 | mode),
                None => options,
            };
            builder.with_file_contents(content, options).unwrap();
        }
        let path = folder.join(format!("{}-{}-1.{}.rpm", self.name, self.version, self.arch));
        let package = match key {
            Some(key) => builder.build_and_sign(key.new_rpm_header_signer()),
            None => builder.build(),
        };
        package.unwrap().write_file(&path).unwrap();
        path
    }
}
