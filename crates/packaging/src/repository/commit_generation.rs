//! A new generation of a channel: its metadata composed beside the current one, then switched to.
//!
//! `repomd.xml` and `repomd.xml.asc` are two files, and both change. Each generation is a folder that is a
//! whole YUM repository and never changes, so a reader that stays in it
//! ([`Repository::relative_path_of_current_generation`], handed out by the mirrorlist) always gets both of one generation. The
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
    channel_generation::{ChannelGeneration, RemovedPackageWithKeptLink, SupersededGeneration},
    durable_writes::{self, UnflushedWrites},
    metadata_batch::{ChannelPackageFileAndDigest, MetadataBatch, MetadataFileKind, gzip_compress},
};

/// What only readers of older metadata can ask for is kept for so long,
const KEEP_SECONDS: u32 = 3600;
/// the oldest metadata less long where many publications made much of it,
const KEEP_BYTES: u64 = 1 << 30;
/// but for so long in any case.
const KEEP_SECONDS_AT_LEAST: u32 = 300;

/// The packages, seen from a generation's folder.
pub(super) const GENERATION_PACKAGES_LINK_TARGET: &str = "../../packages";
/// The current generation's metadata, seen from the channel's `repodata`.
pub(super) const CURRENT_REPODATA_FROM_CHANNEL_REPODATA: &str = "../current/repodata";

/// What a new generation is made of.
pub(super) enum NextGenerationBatch {
    /// A batch of the current generation, unchanged.
    Kept(Arc<MetadataBatch>),
    /// A batch of the current generation with packages behind its own.
    Grown(Arc<MetadataBatch>, Vec<ChannelPackageFileAndDigest>),
    /// Packages whose metadata is compressed anew.
    New(Vec<ChannelPackageFileAndDigest>),
}

struct Data {
    file: MetadataFileKind,
    name: String,
    sha256: String,
    size: u64,
    open_size: u64,
}

impl Repository {
    /// Makes `parts` the next generation of `channel`, together with what was done in `unflushed`. Needs
    /// the lock.
    pub(super) fn commit_next_generation(
        &self,
        channel: &ChannelGeneration,
        parts: Vec<NextGenerationBatch>,
        mut unflushed: UnflushedWrites,
        now: u32,
    ) -> Result<Arc<ChannelGeneration>> {
        let mut next = ChannelGeneration {
            name: channel.name.clone(),
            generation: channel.generation + 1,
            batches: Vec::new(),
            next_batch: channel.next_batch,
            bytes: 0,
            history: history(channel, now),
            gone: Vec::new(),
        };
        let written = self
            .compose(channel, &mut next, parts, &mut unflushed, now)
            .and_then(|()| unflushed.flush_to_disk());
        if written.is_err() {
            // No reader has seen it. The first error is returned.
            let _ = self.remove_channel_files_no_reader_needs(channel, now);
        }
        written?;
        let folder = self.layout().generation_folder_path(&next.name, next.generation);
        let target = Path::new("generations").join(folder.file_name().unwrap_or_default());
        durable_writes::replace_symlink_atomically_and_sync(
            &self.layout().incoming_folder_path(),
            &self.layout().channel_current_generation_link_path(&next.name),
            &target,
        )?;
        let next = Arc::new(next);
        self.known().channels.insert(next.name.clone(), Arc::clone(&next));
        // Done: what cannot be swept away now will be the next time.
        let _ = self.remove_channel_files_no_reader_needs(&next, now);
        Ok(next)
    }

    fn compose(
        &self,
        channel: &ChannelGeneration,
        next: &mut ChannelGeneration,
        parts: Vec<NextGenerationBatch>,
        unflushed: &mut UnflushedWrites,
        now: u32,
    ) -> Result<()> {
        let layout = self.layout();
        let folder = layout.generation_folder_path(&next.name, next.generation);
        durable_writes::remove_folder_if_present_unsynced(&folder)?;
        let repodata = layout.generation_repodata_path(&next.name, next.generation);
        unflushed.create_folder_tree(&repodata)?;
        unflushed.create_folder_tree(&layout.channel_batches_folder_path(&next.name))?;
        unflushed.create_folder_tree(&layout.channel_packages_folder_path(&next.name))?;
        unflushed.create_symlink(Path::new(GENERATION_PACKAGES_LINK_TARGET), &folder.join("packages"))?;
        self.make_repodata(next, unflushed)?;
        for part in parts {
            match part {
                NextGenerationBatch::Kept(batch) => next.batches.push(batch),
                NextGenerationBatch::Grown(batch, packages) => {
                    self.batch_and_write_package_metadata(next, Some(&batch), &packages, unflushed)?;
                }
                NextGenerationBatch::New(packages) => {
                    self.batch_and_write_package_metadata(next, None, &packages, unflushed)?
                }
            }
        }
        let data: Vec<Data> = MetadataFileKind::ALL_METADATA_FILE_KINDS
            .iter()
            .map(|file| self.concatenate(next, *file, unflushed))
            .collect::<Result<_>>()?;
        next.bytes = data.iter().map(|data| data.size).sum();
        next.gone = self.gone(channel, next, now);

        let repomd = repomd(next.generation, now, &data);
        unflushed.write_unflushed_file(&repodata.join("repomd.xml"), repomd.as_bytes())?;
        let signature = self.key.sign_detached(repomd.as_bytes(), now)?;
        unflushed.write_unflushed_file(&repodata.join("repomd.xml.asc"), signature.as_bytes())?;
        self.write_unflushed_generation_state(next, unflushed)
    }

    /// The folder that readers without mirrorlist look in: its two files that change are links through
    /// the current generation.
    fn make_repodata(&self, channel: &ChannelGeneration, unflushed: &mut UnflushedWrites) -> Result<()> {
        let folder = self.layout().stable_channel_repodata_path(&channel.name);
        unflushed.create_folder_tree(&folder)?;
        for file in ["repomd.xml", "repomd.xml.asc"] {
            let link = folder.join(file);
            let target = Path::new(CURRENT_REPODATA_FROM_CHANNEL_REPODATA).join(file);
            if !fs::read_link(&link).is_ok_and(|there| there == target) {
                durable_writes::replace_symlink_atomically_and_sync(
                    &self.layout().incoming_folder_path(),
                    &link,
                    &target,
                )?;
            }
        }
        Ok(())
    }

    /// Writes one metadata file: a header, the batches as they are, a footer.
    fn concatenate(
        &self,
        channel: &ChannelGeneration,
        file: MetadataFileKind,
        unflushed: &mut UnflushedWrites,
    ) -> Result<Data> {
        let folder = self.layout().stable_channel_repodata_path(&channel.name);
        let io = |why| RepositoryError::from_io_error("write", &folder, why);
        let packages = channel.batches.iter().map(|batch| batch.packages.len()).sum();
        let (header, footer) = (file.xml_header(packages), file.xml_footer());
        let mut open_size = (header.len() + footer.len()) as u64;
        let mut size = 0;
        let mut digest = Sha256::new();
        let mut out = tempfile::Builder::new()
            .prefix("write-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(self.layout().incoming_folder_path())
            .map_err(io)?;
        let mut put = |bytes: &[u8]| {
            digest.update(bytes);
            size += bytes.len() as u64;
            out.write_all(bytes).map_err(io)
        };
        put(&gzip_compress(header.as_bytes()))?;
        for batch in &channel.batches {
            put(&self.read_compressed_batch_metadata(&channel.name, batch, file)?)?;
            open_size += batch.open_sizes[file as usize];
        }
        put(&gzip_compress(footer.as_bytes()))?;
        let sha256 = hex::encode(digest.finalize());
        let name = format!("{:08}-{sha256}-{}.xml.gz", channel.generation, file.name_in_repomd_xml());
        // Its name is new, so no reader looks for it yet.
        let path = folder.join(&name);
        unflushed.add_file_to_flush(&path, out.persist(&path).map_err(|error| io(error.error))?)?;
        let in_generation =
            self.layout().generation_repodata_path(&channel.name, channel.generation).join(&name);
        unflushed.replace_with_hard_link_unflushed(
            &self.layout().incoming_folder_path(),
            &path,
            &in_generation,
        )?;
        Ok(Data { file, name, sha256, size, open_size })
    }

    /// The folder of the generation that `channel` shows now, relative to [`Repository::served_channels_folder`]: a whole
    /// YUM repository. Nothing in it changes; it stays for at least five minutes, usually an hour, after the
    /// next generation took its place.
    pub fn relative_path_of_current_generation(&self, channel: &Name) -> Result<PathBuf> {
        let generation = self.load_current_generation_of_published_channel(channel)?.generation;
        let folder = self.layout().generation_folder_path(channel, generation);
        Ok(folder.strip_prefix(self.served_channels_folder()).unwrap_or(&folder).to_owned())
    }

    /// The packages that are not in `next`, but whose links stay: those of `channel` among them.
    fn gone(
        &self,
        channel: &ChannelGeneration,
        next: &ChannelGeneration,
        now: u32,
    ) -> Vec<RemovedPackageWithKeptLink> {
        let there = next.package_digests_by_file();
        let left = channel
            .iter_packages()
            .map(|listed| RemovedPackageWithKeptLink { file: listed.file.clone(), since: now });
        let folder = self.layout().channel_packages_folder_path(&channel.name);
        let stays = |gone: &RemovedPackageWithKeptLink| {
            // One whose time is over is forgotten when its link is really away.
            !there.contains_key(gone.file.as_str())
                && (!over(gone.since, now) || folder.join(&gone.file).exists())
        };
        channel.gone.iter().cloned().chain(left).filter(stays).collect()
    }

    /// Removes what no reader of `channel` needs any more, and what killed publications left of later generations.
    pub(super) fn remove_channel_files_no_reader_needs(
        &self,
        channel: &ChannelGeneration,
        now: u32,
    ) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for path in self.list_channel_files_no_reader_needs(channel, now)? {
            match path.is_dir() && !path.is_symlink() {
                true => durable_writes::remove_folder_if_present_unsynced(&path)?,
                false if path.symlink_metadata().is_err() => continue,
                false => durable_writes::remove_file_if_present(&path)?,
            }
            removed.push(path);
        }
        Ok(removed)
    }

    /// Of the state, that of the generation before the current one stays: a reader may be using it.
    fn list_channel_files_no_reader_needs(
        &self,
        channel: &ChannelGeneration,
        now: u32,
    ) -> Result<Vec<PathBuf>> {
        let layout = self.layout();
        let current = channel.generation;
        let oldest = channel.history.first().map_or(current, |past| past.generation);
        let number = |name: &str| name.get(..8).and_then(|number| number.parse::<u64>().ok());
        let mut unneeded = Vec::new();
        let mut add_names_of_folder = |folder: PathBuf, is_needed: &dyn Fn(&str) -> bool| -> Result<()> {
            let names = durable_writes::list_folder_or_empty(&folder)?;
            unneeded.extend(names.iter().filter(|name| !is_needed(name)).map(|name| folder.join(name)));
            Ok(())
        };
        add_names_of_folder(layout.channel_generations_folder_path(&channel.name), &|name| {
            number(name).is_some_and(|number| (oldest..=current).contains(&number))
        })?;
        add_names_of_folder(layout.stable_channel_repodata_path(&channel.name), &|name| {
            number(name).is_none_or(|number| (oldest..=current).contains(&number))
        })?;
        add_names_of_folder(layout.channel_batches_folder_path(&channel.name), &|name| match name
            .strip_prefix('m')
        {
            Some(id) => channel.batches.iter().any(|batch| id.parse() == Ok(batch.id)),
            None => number(name).is_some_and(|number| number == current || number + 1 == current),
        })?;
        let packages = layout.channel_packages_folder_path(&channel.name);
        let expired = channel.gone.iter().filter(|gone| over(gone.since, now));
        unneeded.extend(expired.map(|gone| packages.join(&gone.file)));
        Ok(unneeded)
    }
}

fn over(since: u32, now: u32) -> bool {
    now.saturating_sub(since) >= KEEP_SECONDS
}

/// The generations up to `channel` whose files stay when the next one takes its place, oldest first.
fn history(channel: &ChannelGeneration, now: u32) -> Vec<SupersededGeneration> {
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
            file.name_in_repomd_xml()
        );
    }
    xml.push_str("</repomd>\n");
    xml
}
