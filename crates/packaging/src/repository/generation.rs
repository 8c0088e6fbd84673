//! A new generation of a channel: its metadata composed beside the current one, then switched to.
//!
//! `repomd.xml` and `repomd.xml.asc` are two files, and both change. They lie in one folder, and
//! `repodata` is a symbolic link to it that one rename swaps, so that on disk they always belong
//! together. A reader over HTTP that fetches one before and the other after a swap sees a signature
//! that does not fit and has to try again: two requests cannot be made one on this side.

use std::{fmt::Write as _, fs, io::Write as _, path::Path, sync::Arc};

use sha2::{Digest, Sha256};

use super::{
    Repository, RepositoryError, Result,
    channel::{Channel, Past},
    disk,
    members::{File, Listed, Member, gzip},
};

/// Metadata files of this many generations are kept however old they are,
const KEEP_AT_LEAST: usize = 3;
/// those of younger ones than this too,
const KEEP_SECONDS: u32 = 3600;
/// but no more than these.
const KEEP_AT_MOST: usize = 50;

/// What a new generation is made of.
pub(super) enum Part {
    /// A member of the current generation, unchanged.
    Kept(Arc<Member>),
    /// Packages whose metadata is compressed anew.
    New(Vec<Listed>),
}

struct Data {
    file: File,
    name: String,
    sha256: String,
    size: u64,
    open_size: u64,
}

impl Repository {
    /// Makes `parts` the next generation of `channel`. Needs the lock.
    pub(super) fn commit(&self, channel: &Channel, parts: Vec<Part>, now: u32) -> Result<Arc<Channel>> {
        let layout = self.layout();
        let mut next = Channel {
            name: channel.name.clone(),
            generation: channel.generation + 1,
            members: Vec::new(),
            next_member: channel.next_member,
            history: Vec::new(),
        };
        for folder in
            [layout.members(&next.name), layout.packages(&next.name), layout.generations(&next.name)]
        {
            disk::create_folder(&folder)?;
        }
        let folder = layout.generation(&next.name, next.generation);
        let written = self.compose(channel, &mut next, parts, &folder, now);
        if written.is_err() {
            // Nobody has seen any of it. The error that matters is the first one.
            let _ = self.sweep(channel);
        }
        written?;
        let target = Path::new("generations").join(folder.file_name().unwrap_or_default());
        disk::switch(&layout.switch(&next.name), &target)?;
        let next = Arc::new(next);
        self.known().channels.insert(next.name.clone(), Arc::clone(&next));
        // Done: what cannot be swept away now will be the next time.
        let _ = self.sweep(&next);
        Ok(next)
    }

    fn compose(
        &self,
        channel: &Channel,
        next: &mut Channel,
        parts: Vec<Part>,
        folder: &Path,
        now: u32,
    ) -> Result<()> {
        for part in parts {
            next.members.push(match part {
                Part::Kept(member) => member,
                Part::New(packages) => {
                    let id = next.next_member;
                    next.next_member += 1;
                    Arc::new(self.write_member(&next.name, id, packages)?)
                }
            });
        }
        disk::fresh_folder(folder)?;
        let data: Vec<Data> =
            File::ALL.iter().map(|file| self.concatenate(next, *file, folder)).collect::<Result<_>>()?;

        next.history = kept(&channel.history, now);
        let current = self.layout().generation(&channel.name, channel.generation);
        for past in &mut next.history {
            // A file that was lost is no reason to stop publishing; `check` names it.
            past.files.retain(|file| current.join(file).is_file());
            for file in &past.files {
                // The name is the digest of the content: one just written under it is the same, and whole.
                if !folder.join(file).exists() {
                    disk::link(&current.join(file), &folder.join(file))?;
                }
            }
        }
        next.history.push(Past {
            generation: next.generation,
            time: now,
            files: data.iter().map(|data| data.name.clone()).collect(),
        });

        let repomd = repomd(next.generation, now, &data);
        disk::write_unseen(&folder.join("repomd.xml"), repomd.as_bytes())?;
        let signature = self.key.sign_detached(repomd.as_bytes(), now)?;
        disk::write_unseen(&folder.join("repomd.xml.asc"), signature.as_bytes())?;
        disk::sync_folder(folder)?;
        disk::sync_folder(&self.layout().generations(&next.name))?;
        self.write_state(next)
    }

    /// Writes one metadata file: a header, the members as they are, a footer.
    fn concatenate(&self, channel: &Channel, file: File, folder: &Path) -> Result<Data> {
        let aside = folder.join(file.name());
        let io = |why| RepositoryError::io("write", &aside, why);
        let packages = channel.members.iter().map(|member| member.packages.len()).sum();
        let (header, footer) = (file.header(packages), file.footer());
        let mut open_size = (header.len() + footer.len()) as u64;
        let mut size = 0;
        let mut digest = Sha256::new();
        let mut out = fs::File::create(&aside).map_err(io)?;
        let mut put = |bytes: &[u8]| {
            digest.update(bytes);
            size += bytes.len() as u64;
            out.write_all(bytes).map_err(io)
        };
        put(&gzip(header.as_bytes()))?;
        for member in &channel.members {
            put(&self.member_bytes(&channel.name, member.id, file)?)?;
            open_size += member.open_sizes[file as usize];
        }
        put(&gzip(footer.as_bytes()))?;
        out.sync_all().map_err(io)?;
        let sha256 = hex::encode(digest.finalize());
        let name = format!("{sha256}-{}.xml.gz", file.name());
        fs::rename(&aside, folder.join(&name)).map_err(io)?;
        Ok(Data { file, name, sha256, size, open_size })
    }

    /// Removes what no reader of `channel` needs any more. The generation before the current one stays:
    /// somebody may be in the middle of opening a file there.
    pub(super) fn sweep(&self, channel: &Channel) -> Result<()> {
        let layout = self.layout();
        let oldest = channel.generation.saturating_sub(1);
        let stays = |number: &str| {
            number.parse().is_ok_and(|number: u64| (oldest..=channel.generation).contains(&number))
        };
        for name in disk::list(&layout.generations(&channel.name))? {
            if !stays(&name) {
                disk::remove_folder(&layout.generations(&channel.name).join(&name))?;
            }
        }
        let members: Vec<String> = channel
            .members
            .iter()
            .map(|member| layout.member(&channel.name, member.id))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        for name in disk::list(&layout.members(&channel.name))? {
            let path = layout.members(&channel.name).join(&name);
            match name.strip_suffix(".json") {
                Some(number) if stays(number) => (),
                Some(_) => disk::remove_file(&path)?,
                None if members.contains(&name) => (),
                None => disk::remove_folder(&path)?,
            }
        }
        Ok(())
    }
}

/// The generations whose files stay, oldest first.
fn kept(history: &[Past], now: u32) -> Vec<Past> {
    let young = |past: &Past| now.saturating_sub(past.time) < KEEP_SECONDS;
    let mut kept: Vec<Past> = history
        .iter()
        .rev()
        .enumerate()
        // The new generation is one of those kept in any case.
        .filter(|(age, past)| *age + 1 < KEEP_AT_LEAST || (*age + 1 < KEEP_AT_MOST && young(past)))
        .map(|(_, past)| past.clone())
        .collect();
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
