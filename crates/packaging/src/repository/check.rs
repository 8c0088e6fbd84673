//! Checking: every byte the repository holds is compared with what it should be, and what is not is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use model::name::Name;
use sha2::{Digest, Sha256};

use super::{
    Repository, RepositoryError, Result,
    channel::Channel,
    disk,
    members::{File, gzip},
    record::Record,
};
use crate::{envelope::Envelope, openpgp::PublicKeys};

const RESTORE: &str =
    "restore it from a backup, or remove it, build that version anew with a higher release and publish it";
const REBUILD: &str = "`geppetto repository rebuild` writes the channel's metadata anew";

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the repository's folder.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.file.display(), self.what, self.advice)
    }
}

struct Findings<'a> {
    root: &'a Path,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, file: &Path, what: impl Into<String>, advice: &str) {
        let file = file.strip_prefix(self.root).unwrap_or(file).to_owned();
        self.all.push(Finding { file, what: what.into(), advice: advice.to_owned() });
    }
}

impl Repository {
    /// Reads everything; the result is empty if all is well. Publishing goes on meanwhile, except while a
    /// channel is looked at.
    pub fn check(&self) -> Result<Vec<Finding>> {
        let mut findings = Findings { root: &self.root, all: Vec::new() };
        let keys = self.keys()?;
        self.check_pool(&keys, &mut findings)?;
        let _lock = self.lock()?;
        self.check_index(&mut findings)?;
        for name in disk::list(&self.layout().channels())? {
            let folder = self.layout().channels().join(&name);
            match Name::new(&name) {
                Ok(name) => self.check_channel(&name, &keys, &mut findings)?,
                Err(why) => findings.add(&folder, why.to_string(), "remove it"),
            }
        }
        findings.all.sort();
        Ok(findings.all)
    }

    fn check_pool(&self, keys: &PublicKeys, findings: &mut Findings<'_>) -> Result<()> {
        let layout = self.layout();
        for name in disk::list(&layout.pool())? {
            for file in disk::list(&layout.pool().join(&name))? {
                let path = layout.pooled(&name, &file);
                let record: Record = match disk::read_json(&layout.record(&name, &file)) {
                    Ok(record) => record,
                    // A retention took both away meanwhile.
                    Err(_) if !path.exists() => continue,
                    Err(error) => {
                        findings.add(&path, format!("its record is missing: {error}"), RESTORE);
                        continue;
                    }
                };
                let checked = Envelope::open_as(&path, Path::new(&file)).and_then(|mut envelope| {
                    envelope.verify(keys)?;
                    envelope.check_content()
                });
                match checked {
                    Ok((sha256, _)) if sha256 == record.sha256 => (),
                    Ok((sha256, _)) => findings.add(
                        &path,
                        format!("its SHA-256 is {sha256}, it was received with {}", record.sha256),
                        RESTORE,
                    ),
                    Err(_) if !path.exists() => (),
                    Err(error) => findings.add(&path, error.to_string(), RESTORE),
                }
            }
        }
        Ok(())
    }

    fn check_index(&self, findings: &mut Findings<'_>) -> Result<()> {
        let layout = self.layout();
        let index = self.root.join("index");
        for name in disk::list(&index)? {
            for entry in disk::list(&index.join(&name))? {
                let file = entry.strip_suffix(".xml.json").or_else(|| entry.strip_suffix(".json"));
                if !file.is_some_and(|file| layout.pooled(&name, file).is_file()) {
                    let path = index.join(&name).join(&entry);
                    findings.add(&path, "it describes a package that is not in the pool", RESTORE);
                }
            }
        }
        Ok(())
    }

    fn check_channel(&self, name: &Name, keys: &PublicKeys, findings: &mut Findings<'_>) -> Result<()> {
        let switch = self.layout().switch(name);
        // What is known from earlier is no evidence of what is on disk.
        self.known().channels.remove(name);
        let channel = match self.channel(name) {
            Ok(channel) if channel.generation > 0 => channel,
            Ok(_) => {
                findings.add(&switch, "the channel shows no generation", REBUILD);
                return Ok(());
            }
            Err(error) => {
                findings.add(&switch, error.to_string(), "restore `members` and `channels` from a backup");
                return Ok(());
            }
        };
        self.check_links(&channel, findings)?;
        let folder = self.layout().generation(name, channel.generation);
        for past in &channel.history {
            for file in &past.files {
                if !folder.join(file).is_file() {
                    let what = format!("missing, but generation {} speaks of it", past.generation);
                    findings.add(&folder.join(file), what, REBUILD);
                }
            }
        }
        let read = |file: &str| fs::read_to_string(folder.join(file));
        match (read("repomd.xml"), read("repomd.xml.asc")) {
            (Ok(repomd), Ok(signature)) => {
                if let Err(why) = keys.verify_detached(repomd.as_bytes(), &signature) {
                    findings.add(&folder.join("repomd.xml"), why.to_string(), REBUILD);
                }
                self.check_metadata(&channel, &folder, &repomd, findings)?;
            }
            (Err(why), _) => findings.add(&folder.join("repomd.xml"), why.to_string(), REBUILD),
            (_, Err(why)) => findings.add(&folder.join("repomd.xml.asc"), why.to_string(), REBUILD),
        }
        Ok(())
    }

    fn check_links(&self, channel: &Channel, findings: &mut Findings<'_>) -> Result<()> {
        let folder = self.layout().packages(&channel.name);
        let listed: BTreeMap<&str, &str> = channel.digests();
        for (file, sha256) in &listed {
            let link = folder.join(file);
            let record = match self.record(file) {
                Ok(record) => record,
                Err(error) => {
                    findings.add(&link, format!("the channel lists it, but {error}"), RESTORE);
                    continue;
                }
            };
            if record.sha256 != **sha256 {
                let what = format!("the channel lists SHA-256 {sha256}, the pool holds {}", record.sha256);
                findings.add(&link, what, RESTORE);
            }
            let pooled = self.layout().pooled(&record.name, file);
            let same = match (fs::metadata(&link), fs::metadata(&pooled)) {
                (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
                _ => false,
            };
            if !same {
                findings.add(&link, "it is not the package in the pool", REBUILD);
            }
        }
        for file in disk::list(&folder)? {
            if !listed.contains_key(file.as_str()) {
                let what = "no metadata speaks of it (a publication that was cut off?)";
                findings.add(&folder.join(file), what, "publish it, or remove it");
            }
        }
        Ok(())
    }

    /// Compares each file that `repomd.xml` names with what the index says it must be.
    fn check_metadata(
        &self,
        channel: &Channel,
        folder: &Path,
        repomd: &str,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let xml = match roxmltree::Document::parse(repomd) {
            Ok(xml) => xml,
            Err(why) => {
                findings.add(&folder.join("repomd.xml"), why.to_string(), REBUILD);
                return Ok(());
            }
        };
        let mut seen = BTreeSet::new();
        for data in xml.descendants().filter(|node| node.has_tag_name("data")) {
            let child = |tag: &str| data.children().find(|node| node.tag_name().name() == tag);
            let href = child("location").and_then(|node| node.attribute("href")).unwrap_or_default();
            let path = folder.join(href.strip_prefix("repodata/").unwrap_or("?"));
            let kind = data.attribute("type").unwrap_or_default();
            let Some(file) = File::ALL.into_iter().find(|file| file.name() == kind) else { continue };
            seen.insert(kind.to_owned());
            match digest(fs::File::open(&path)) {
                Err(why) => findings.add(&path, why.to_string(), REBUILD),
                Ok(sha256) if child("checksum").and_then(|node| node.text()) != Some(&sha256) => {
                    findings.add(
                        &path,
                        format!("its SHA-256 is {sha256}; repomd.xml says otherwise"),
                        REBUILD,
                    );
                }
                Ok(_) => {
                    let there = digest(fs::File::open(&path).map(MultiGzDecoder::new));
                    if there.ok() != Some(self.expected(channel, file)?) {
                        findings.add(&path, "it does not describe the packages of this channel", REBUILD);
                    }
                    self.check_members(channel, file, &path, findings);
                }
            }
        }
        if seen.len() < File::ALL.len() {
            findings.add(&folder.join("repomd.xml"), "it does not name all three files of metadata", REBUILD);
        }
        Ok(())
    }

    /// Whether the kept members, which the next generation is made of, are still what this one is made of.
    fn check_members(&self, channel: &Channel, file: File, whole: &Path, findings: &mut Findings<'_>) {
        let Ok(whole) = fs::read(whole) else { return };
        let mut rest =
            &whole[gzip(file.header(channel.packages().count()).as_bytes()).len().min(whole.len())..];
        for member in &channel.members {
            let path = self.member_file(&channel.name, member.id, file);
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.is_empty() || !rest.starts_with(&bytes) {
                findings.add(&path, "it is not what the channel's metadata was made of", REBUILD);
                return;
            }
            rest = &rest[bytes.len()..];
        }
    }

    /// The digest that the uncompressed `file` must have.
    fn expected(&self, channel: &Channel, file: File) -> Result<String> {
        let mut digest = Sha256::new();
        digest.update(file.header(channel.packages().count()));
        for listed in channel.packages() {
            match self.fragments(&listed.file) {
                Ok(fragments) => digest.update(file.of(&fragments)),
                // Named already as a package that is missing.
                Err(RepositoryError::Io { .. } | RepositoryError::Damaged { .. }) => (),
                Err(error) => return Err(error),
            }
        }
        digest.update(file.footer());
        Ok(hex::encode(digest.finalize()))
    }
}

fn digest(reader: io::Result<impl Read>) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut reader?, &mut digest)?;
    Ok(hex::encode(digest.finalize()))
}
