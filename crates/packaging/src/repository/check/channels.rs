//! Checking a channel: its links, its signature, its metadata, and the batches the next ones come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use model::name::Name;
use sha2::{Digest, Sha256};

use super::{
    super::{
        Repository, Result,
        channel_generation::ChannelGeneration,
        commit_generation::{CURRENT_REPODATA_FROM_CHANNEL_REPODATA, GENERATION_PACKAGES_LINK_TARGET},
        durable_writes::{self, is_same_file},
        metadata_batch::{self, gzip_compress},
    },
    Findings, RESTORE, reason,
};
use crate::openpgp::TrustedPublicKeys;

const REBUILD: &str = "`punch repository rebuild` writes the channel's metadata anew";

/// So often a channel is looked at without the lock, when it changes each time meanwhile.
const TRIES: usize = 3;

impl Repository {
    pub(super) fn check_all_channels(
        &self,
        keys: &TrustedPublicKeys,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        for name in durable_writes::list_folder_or_empty(&self.layout().channels_folder_path())? {
            let folder = self.layout().channels_folder_path().join(&name);
            match Name::new(&name) {
                Ok(name) => self.check_channel(&name, keys, findings)?,
                Err(why) => findings.add(&folder, why.to_string(), "remove it"),
            }
        }
        Ok(())
    }

    fn check_channel(
        &self,
        name: &Name,
        keys: &TrustedPublicKeys,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let before = findings.all.len();
        for _ in 0..TRIES {
            let lock = self.lock()?;
            let pinned = self.pin(name, findings)?;
            drop(lock);
            let Some((channel, links)) = pinned else { return Ok(()) };
            self.check_pinned(&channel, &links, keys, findings)?;
            if findings.all.len() == before
                || self.read_current_generation_number(name)? == channel.generation
            {
                return Ok(());
            }
            // What was missing may have been what the next generation does without.
            findings.all.truncate(before);
        }
        let _lock = self.lock()?;
        if let Some((channel, links)) = self.pin(name, findings)? {
            self.check_pinned(&channel, &links, keys, findings)?;
        }
        Ok(())
    }

    /// The generation that is looked at, and the links there were with it. Needs the lock.
    fn pin(
        &self,
        name: &Name,
        findings: &mut Findings<'_>,
    ) -> Result<Option<(Arc<ChannelGeneration>, Vec<String>)>> {
        // What is known from earlier is no evidence of what is on disk.
        self.known().channels.remove(name);
        let switch = self.layout().channel_current_generation_link_path(name);
        match self.load_current_or_empty_generation(name) {
            Ok(channel) if channel.generation > 0 => Ok(Some((
                channel,
                durable_writes::list_folder_or_empty(&self.layout().channel_packages_folder_path(name))?,
            ))),
            // Nor is a channel whose creation was killed.
            Ok(_) if self.is_unfinished_channel_creation(name)? => Ok(None),
            Ok(_) => {
                findings.add(&switch, "the channel shows no generation", REBUILD);
                Ok(None)
            }
            Err(error) => {
                findings.add(&switch, error.to_string(), "restore `members` and `channels` from a backup");
                Ok(None)
            }
        }
    }

    fn check_pinned(
        &self,
        channel: &ChannelGeneration,
        links: &[String],
        keys: &TrustedPublicKeys,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        self.check_links(channel, links, findings);
        let repodata = self.layout().stable_channel_repodata_path(&channel.name);
        for file in ["repomd.xml", "repomd.xml.asc"] {
            let link = repodata.join(file);
            if !fs::read_link(&link)
                .is_ok_and(|target| target == Path::new(CURRENT_REPODATA_FROM_CHANNEL_REPODATA).join(file))
            {
                findings.add(
                    &link,
                    format!("it is no link to {CURRENT_REPODATA_FROM_CHANNEL_REPODATA}/{file}"),
                    REBUILD,
                );
            }
        }
        let link = self.layout().generation_folder_path(&channel.name, channel.generation).join("packages");
        if !fs::read_link(&link).is_ok_and(|target| target == Path::new(GENERATION_PACKAGES_LINK_TARGET)) {
            findings.add(&link, format!("it is no link to {GENERATION_PACKAGES_LINK_TARGET}"), REBUILD);
        }
        let folder = self.layout().generation_repodata_path(&channel.name, channel.generation);
        let read = |file: &str| fs::read_to_string(folder.join(file));
        match (read("repomd.xml"), read("repomd.xml.asc")) {
            (Ok(repomd), Ok(signature)) => {
                if let Err(why) = keys.verify_detached_signature(repomd.as_bytes(), &signature) {
                    findings.add(&folder.join("repomd.xml"), why.to_string(), REBUILD);
                }
                self.check_metadata(channel, &folder.join("repomd.xml"), &repomd, findings);
            }
            (Err(why), _) => findings.add(&folder.join("repomd.xml"), why.to_string(), REBUILD),
            (_, Err(why)) => findings.add(&folder.join("repomd.xml.asc"), why.to_string(), REBUILD),
        }
        Ok(())
    }

    fn check_links(&self, channel: &ChannelGeneration, links: &[String], findings: &mut Findings<'_>) {
        let folder = self.layout().channel_packages_folder_path(&channel.name);
        let listed: BTreeMap<&str, &str> = channel.package_digests_by_file();
        for (file, sha256) in &listed {
            let link = folder.join(file);
            // A damaged index entry is reported by the index check.
            let record = match findings.right.get(*file) {
                Some(right) => Ok(right.record.clone()),
                None => self.read_package_record(file).map(|record| (*record).clone()),
            };
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    findings.add(&link, format!("the channel lists it, but {}", reason(&error)), RESTORE);
                    continue;
                }
            };
            if record.sha256 != **sha256 {
                let what = format!("the channel lists SHA-256 {sha256}, the pool holds {}", record.sha256);
                findings.add(&link, what, RESTORE);
            }
            let pooled = self.layout().pool_package_path(&record.name, file);
            if !is_same_file(&link, &pooled) {
                findings.add(&link, "it is not the package in the pool", REBUILD);
            }
        }
        let gone: BTreeSet<&str> = channel.gone.iter().map(|gone| gone.file.as_str()).collect();
        for file in links {
            let named = listed.contains_key(file.as_str()) || gone.contains(file.as_str());
            // What a killed publication has left is no damage: it is removed after a while.
            if !named && !self.is_link_to_package_in_pool(&folder.join(file)) {
                let what = "no metadata names it, and it is not the package in the pool";
                findings.add(&folder.join(file), what, "remove it");
            }
        }
    }

    /// Compares each file that `repomd.xml` names with the one computed from the index.
    fn check_metadata(
        &self,
        channel: &ChannelGeneration,
        path: &Path,
        repomd: &str,
        findings: &mut Findings<'_>,
    ) {
        let xml = match roxmltree::Document::parse(repomd) {
            Ok(xml) => xml,
            Err(why) => return findings.add(path, why.to_string(), REBUILD),
        };
        let expected = self.expected(channel, findings);
        let mut visited = BTreeSet::new();
        for data in xml.descendants().filter(|node| node.has_tag_name("data")) {
            let child = |tag: &str| data.children().find(|node| node.tag_name().name() == tag);
            let kind = data.attribute("type").unwrap_or_default();
            let Some(file) = metadata_batch::MetadataFileKind::ALL_METADATA_FILE_KINDS
                .into_iter()
                .find(|file| file.name_in_repomd_xml() == kind)
            else {
                continue;
            };
            visited.insert(kind);
            let href = child("location").and_then(|node| node.attribute("href")).unwrap_or_default();
            let path = self.layout().channel_folder_path(&channel.name).join(href);
            let in_generation =
                self.layout().generation_folder_path(&channel.name, channel.generation).join(href);
            if path.exists() && !is_same_file(&path, &in_generation) {
                let what = format!("it is not the same file as {}", path.display());
                findings.add(&in_generation, what, REBUILD);
            }
            match digest(File::open(&path)) {
                Err(why) => findings.add(&path, why.to_string(), REBUILD),
                Ok(sha256) if child("checksum").and_then(|node| node.text()) != Some(&sha256) => {
                    let what = format!("its SHA-256 is {sha256}; repomd.xml has another");
                    findings.add(&path, what, REBUILD);
                }
                Ok(_) => {
                    let there = digest(File::open(&path).map(MultiGzDecoder::new));
                    if there.ok().as_ref() != Some(&expected[file as usize]) {
                        findings.add(&path, "it does not describe the packages of this channel", REBUILD);
                    }
                    self.check_batches(channel, file, &path, findings);
                }
            }
        }
        if visited.len() < metadata_batch::MetadataFileKind::ALL_METADATA_FILE_KINDS.len() {
            findings.add(path, "it does not name all three files of metadata", REBUILD);
        }
    }

    /// Whether the kept batches, which the next generation is made of, are still what this one is made of.
    fn check_batches(
        &self,
        channel: &ChannelGeneration,
        file: metadata_batch::MetadataFileKind,
        whole: &Path,
        findings: &mut Findings<'_>,
    ) {
        let Ok(whole) = fs::read(whole) else { return };
        let mut rest = &whole[gzip_compress(file.xml_header(channel.iter_packages().count()).as_bytes())
            .len()
            .min(whole.len())..];
        for batch in &channel.batches {
            let bytes = self.read_compressed_batch_metadata(&channel.name, batch, file).unwrap_or_default();
            if bytes.is_empty() || !rest.starts_with(&bytes) {
                let path = self.layout().metadata_batch_path(&channel.name, batch.id);
                let what = format!(
                    "its part of {} is not what the channel's metadata was made of",
                    file.name_in_repomd_xml()
                );
                return findings.add(&path, what, REBUILD);
            }
            rest = &rest[bytes.len()..];
        }
    }

    /// The digests that the uncompressed files must have, each entry of the index read once.
    fn expected(&self, channel: &ChannelGeneration, findings: &Findings<'_>) -> [String; 3] {
        let count = channel.iter_packages().count();
        let mut digests = metadata_batch::MetadataFileKind::ALL_METADATA_FILE_KINDS
            .map(|file| Sha256::new_with_prefix(file.xml_header(count)));
        for listed in channel.iter_packages() {
            let fragments = match findings.right.get(&listed.file) {
                Some(right) => Ok(right.fragments.clone()),
                None => self.read_metadata_fragments(&listed.file),
            };
            // One that cannot be had is named already, as a package that is missing.
            let Ok(fragments) = fragments else { continue };
            for file in metadata_batch::MetadataFileKind::ALL_METADATA_FILE_KINDS {
                digests[file as usize].update(file.fragment_for_metadata_file(&fragments));
            }
        }
        for file in metadata_batch::MetadataFileKind::ALL_METADATA_FILE_KINDS {
            digests[file as usize].update(file.xml_footer());
        }
        digests.map(|digest| hex::encode(digest.finalize()))
    }
}

fn digest(reader: io::Result<impl Read>) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut reader?, &mut digest)?;
    Ok(hex::encode(digest.finalize()))
}
