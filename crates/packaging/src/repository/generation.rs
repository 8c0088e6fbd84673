//! A new generation of a channel: its metadata composed beside the current one, then switched to.
//!
//! `repomd.xml` and `repomd.xml.asc` are two files, and both change. Each generation is a folder that is a
//! whole YUM repository and never changes, so a reader that stays in it
//! ([`Repository::generation_path`], handed out by the mirrorlist) always gets both of one generation. The
//! channel's own folder follows the current generation by a symbolic link that one rename swaps: a reader
//! of it that fetches one file before and the other after a swap has to try again.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::name::Name;
use sha2::{Digest, Sha256};

use super::{
    Repository, RepositoryError, Result,
    channel::{Channel, RemovedPackage, SupersededGeneration},
    disk::{self, UnflushedWrites},
    members::{GzipMember, MemberPackage, MetadataFile, gzip},
};

/// What only readers of older metadata can ask for is kept for so long,
const KEEP_SECONDS: u32 = 3600;
/// the oldest metadata less long where many publications made much of it,
const KEEP_BYTES: u64 = 1 << 30;
/// but for so long in any case.
const KEEP_SECONDS_AT_LEAST: u32 = 300;

/// The packages, seen from a generation's folder.
pub(super) const PACKAGES_LINK: &str = "../../packages";
/// The current generation's metadata, seen from the channel's `repodata`.
pub(super) const CURRENT_REPODATA: &str = "../current/repodata";

/// What a new generation is made of.
pub(super) enum GenerationPart {
    /// A member of the current generation, unchanged.
    Kept(Arc<GzipMember>),
    /// A member of the current generation with packages behind its own.
    Grown(Arc<GzipMember>, Vec<MemberPackage>),
    /// Packages whose metadata is compressed anew.
    New(Vec<MemberPackage>),
}

struct Data {
    file: MetadataFile,
    name: String,
    sha256: String,
    size: u64,
    open_size: u64,
}

impl Repository {
    /// Makes `parts` the next generation of `channel`, together with what was done in `unflushed`. Needs
    /// the lock.
    pub(super) fn commit(
        &self,
        channel: &Channel,
        parts: Vec<GenerationPart>,
        mut unflushed: UnflushedWrites,
        now: u32,
    ) -> Result<Arc<Channel>> {
        let mut next = Channel {
            name: channel.name.clone(),
            generation: channel.generation + 1,
            members: Vec::new(),
            next_member: channel.next_member,
            bytes: 0,
            history: history(channel, now),
            gone: Vec::new(),
        };
        let written =
            self.compose(channel, &mut next, parts, &mut unflushed, now).and_then(|()| unflushed.flush());
        if written.is_err() {
            // No reader has seen it. The first error is returned.
            let _ = self.remove_obsolete_files(channel, now);
        }
        written?;
        let folder = self.layout().generation(&next.name, next.generation);
        let target = Path::new("generations").join(folder.file_name().unwrap_or_default());
        disk::switch_symlink(&self.layout().incoming(), &self.layout().current_link(&next.name), &target)?;
        let next = Arc::new(next);
        self.known().channels.insert(next.name.clone(), Arc::clone(&next));
        // Done: what cannot be swept away now will be the next time.
        let _ = self.remove_obsolete_files(&next, now);
        Ok(next)
    }

    fn compose(
        &self,
        channel: &Channel,
        next: &mut Channel,
        parts: Vec<GenerationPart>,
        unflushed: &mut UnflushedWrites,
        now: u32,
    ) -> Result<()> {
        let layout = self.layout();
        let folder = layout.generation(&next.name, next.generation);
        disk::remove_folder(&folder)?;
        let repodata = layout.generation_repodata(&next.name, next.generation);
        unflushed.create_folder_tree(&repodata)?;
        unflushed.create_folder_tree(&layout.members(&next.name))?;
        unflushed.create_folder_tree(&layout.packages(&next.name))?;
        unflushed.symlink(Path::new(PACKAGES_LINK), &folder.join("packages"))?;
        self.make_repodata(next, unflushed)?;
        for part in parts {
            match part {
                GenerationPart::Kept(member) => next.members.push(member),
                GenerationPart::Grown(member, packages) => {
                    self.write_members(next, Some(&member), &packages, unflushed)?;
                }
                GenerationPart::New(packages) => self.write_members(next, None, &packages, unflushed)?,
            }
        }
        let data: Vec<Data> = MetadataFile::ALL
            .iter()
            .map(|file| self.concatenate(next, *file, unflushed))
            .collect::<Result<_>>()?;
        next.bytes = data.iter().map(|data| data.size).sum();
        next.gone = self.gone(channel, next, now);

        let repomd = repomd(next.generation, now, &data);
        unflushed.write(&repodata.join("repomd.xml"), repomd.as_bytes())?;
        let signature = self.key.sign_detached(repomd.as_bytes(), now)?;
        unflushed.write(&repodata.join("repomd.xml.asc"), signature.as_bytes())?;
        self.write_state(next, unflushed)
    }

    /// The folder that readers without mirrorlist look in: its two files that change are links through
    /// the current generation.
    fn make_repodata(&self, channel: &Channel, unflushed: &mut UnflushedWrites) -> Result<()> {
        let folder = self.layout().repodata(&channel.name);
        unflushed.create_folder_tree(&folder)?;
        for file in ["repomd.xml", "repomd.xml.asc"] {
            let link = folder.join(file);
            let target = Path::new(CURRENT_REPODATA).join(file);
            if !fs::read_link(&link).is_ok_and(|there| there == target) {
                disk::switch_symlink(&self.layout().incoming(), &link, &target)?;
            }
        }
        Ok(())
    }

    /// Writes one metadata file: a header, the members as they are, a footer.
    fn concatenate(
        &self,
        channel: &Channel,
        file: MetadataFile,
        unflushed: &mut UnflushedWrites,
    ) -> Result<Data> {
        let folder = self.layout().repodata(&channel.name);
        let io = |why| RepositoryError::io("write", &folder, why);
        let packages = channel.members.iter().map(|member| member.packages.len()).sum();
        let (header, footer) = (file.header(packages), file.footer());
        let mut open_size = (header.len() + footer.len()) as u64;
        let mut size = 0;
        let mut digest = Sha256::new();
        let mut out = tempfile::Builder::new()
            .prefix("write-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(self.layout().incoming())
            .map_err(io)?;
        let mut put = |bytes: &[u8]| {
            digest.update(bytes);
            size += bytes.len() as u64;
            out.write_all(bytes).map_err(io)
        };
        put(&gzip(header.as_bytes()))?;
        for member in &channel.members {
            put(&self.member_bytes(&channel.name, member, file)?)?;
            open_size += member.open_sizes[file as usize];
        }
        put(&gzip(footer.as_bytes()))?;
        let sha256 = hex::encode(digest.finalize());
        let name = format!("{:08}-{sha256}-{}.xml.gz", channel.generation, file.name());
        // Its name is new, so no reader looks for it yet.
        let path = folder.join(&name);
        unflushed.add(&path, out.persist(&path).map_err(|error| io(error.error))?)?;
        let in_generation = self.layout().generation_repodata(&channel.name, channel.generation).join(&name);
        unflushed.replace_with_hard_link(&self.layout().incoming(), &path, &in_generation)?;
        Ok(Data { file, name, sha256, size, open_size })
    }

    /// The folder of the generation that `channel` shows now, relative to [`Repository::served_folder`]: a whole
    /// YUM repository. Nothing in it changes; it stays for at least five minutes, usually an hour, after the
    /// next generation took its place.
    pub fn generation_path(&self, channel: &Name) -> Result<PathBuf> {
        let generation = self.load_existing_channel(channel)?.generation;
        let folder = self.layout().generation(channel, generation);
        Ok(folder.strip_prefix(self.served_folder()).unwrap_or(&folder).to_owned())
    }

    /// The packages that are not in `next`, but whose links stay: those of `channel` among them.
    fn gone(&self, channel: &Channel, next: &Channel, now: u32) -> Vec<RemovedPackage> {
        let there = next.digests();
        let left = channel.packages().map(|listed| RemovedPackage { file: listed.file.clone(), since: now });
        let folder = self.layout().packages(&channel.name);
        let stays = |gone: &RemovedPackage| {
            // One whose time is over is forgotten when its link is really away.
            !there.contains_key(gone.file.as_str())
                && (!over(gone.since, now) || folder.join(&gone.file).exists())
        };
        channel.gone.iter().cloned().chain(left).filter(stays).collect()
    }

    /// Removes what no reader of `channel` needs any more. Of the state, that of the generation before
    /// the current one stays: a reader may be using it.
    pub(super) fn remove_obsolete_files(&self, channel: &Channel, now: u32) -> Result<()> {
        let layout = self.layout();
        let current = channel.generation;
        let oldest = channel.history.first().map_or(current, |past| past.generation);
        let number = |name: &str| name.get(..8).and_then(|number| number.parse::<u64>().ok());
        for name in disk::list(&layout.generations(&channel.name))? {
            if !number(&name).is_some_and(|number| (oldest..=current).contains(&number)) {
                disk::remove_folder(&layout.generations(&channel.name).join(&name))?;
            }
        }
        for name in disk::list(&layout.repodata(&channel.name))? {
            if number(&name).is_some_and(|number| !(oldest..=current).contains(&number)) {
                disk::remove_file(&layout.repodata(&channel.name).join(&name))?;
            }
        }
        for name in disk::list(&layout.members(&channel.name))? {
            let stays = match name.strip_prefix('m') {
                Some(id) => channel.members.iter().any(|member| id.parse() == Ok(member.id)),
                None => number(&name).is_some_and(|number| number == current || number + 1 == current),
            };
            if !stays {
                disk::remove_file(&layout.members(&channel.name).join(&name))?;
            }
        }
        let expired = channel.gone.iter().filter(|gone| over(gone.since, now));
        let folder = layout.packages(&channel.name);
        expired.into_iter().try_for_each(|gone| disk::remove_file(&folder.join(&gone.file)))
    }
}

fn over(since: u32, now: u32) -> bool {
    now.saturating_sub(since) >= KEEP_SECONDS
}

/// The generations up to `channel` whose files stay when the next one takes its place, oldest first.
fn history(channel: &Channel, now: u32) -> Vec<SupersededGeneration> {
    let past = SupersededGeneration { generation: channel.generation, replaced: now, bytes: channel.bytes };
    let mut bytes = 0;
    let stays = |past: &SupersededGeneration| {
        bytes += past.bytes;
        let age = now.saturating_sub(past.replaced);
        age < KEEP_SECONDS_AT_LEAST || (age < KEEP_SECONDS && bytes <= KEEP_BYTES)
    };
    let published = (channel.generation > 0).then_some(past);
    let newest_first = published.into_iter().chain(channel.history.iter().rev().cloned());
    let mut kept: Vec<SupersededGeneration> = newest_first.take_while(stays).collect();
    kept.reverse();
    kept
}

fn repomd(generation: u64, now: u32, data: &[Data]) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>{generation}</revision>\n"
    );
    for Data { file, name, sha256, size, open_size } in data {
        // No open-checksum: it would mean to hash the uncompressed text of all packages each time, and
        // no client asks for it where the checksum of the file itself is given.
        let _ = write!(
            xml,
            "  <data type=\"{}\">\n    <checksum type=\"sha256\">{sha256}</checksum>\n    <location href=\"repodata/{name}\"/>\n    <timestamp>{now}</timestamp>\n    <size>{size}</size>\n    <open-size>{open_size}</open-size>\n  </data>\n",
            file.name()
        );
    }
    xml.push_str("</repomd>\n");
    xml
}
