//! Publishing: received packages become visible in a channel, all of them or none.

use std::collections::{BTreeMap, BTreeSet};

use model::{name::Name, wire::Published};

use super::{
    Repository, RepositoryError, Result,
    channel::Channel,
    disk,
    generation::Part,
    members::{Listed, MEMBER},
    record::Record,
};

impl Repository {
    /// Makes received packages visible in `channel`, which is made if it is new. `now` is in seconds
    /// since 1970. Packages that are visible already are no error.
    pub fn publish(&self, channel: &Name, files: &[String], now: u32) -> Result<Published> {
        let _lock = self.lock()?;
        self.publish_locked(channel, files, now)
    }

    /// Makes an empty channel, if there is none of that name.
    pub fn create_channel(&self, channel: &Name, now: u32) -> Result<()> {
        let _lock = self.lock()?;
        let current = self.channel(channel)?;
        if current.generation == 0 {
            self.commit(&current, Vec::new(), now)?;
        }
        Ok(())
    }

    /// Writes all metadata of `channel` anew from the index, and links its packages again: the cure for
    /// most of what [`Repository::check`] finds.
    pub fn rebuild(&self, channel: &Name, now: u32) -> Result<()> {
        let _lock = self.lock()?;
        let channel = self.existing_channel(channel)?;
        let packages: Vec<Listed> = channel.packages().cloned().collect();
        disk::create_folder(&self.layout().packages(&channel.name))?;
        for listed in &packages {
            let record = self.record(&listed.file)?;
            let link = self.layout().packages(&channel.name).join(&record.file);
            disk::link(&self.layout().pooled(&record.name, &record.file), &link)?;
        }
        let parts = packages.chunks(MEMBER).map(|packages| Part::New(packages.to_vec()));
        self.commit(&channel, parts.collect(), now)?;
        Ok(())
    }

    pub(super) fn publish_locked(&self, name: &Name, files: &[String], now: u32) -> Result<Published> {
        let channel = self.channel(name)?;
        let digests = channel.digests();
        let (mut added, mut present) = (BTreeMap::new(), BTreeSet::new());
        for file in files {
            let record = self.record(file)?;
            match digests.get(file.as_str()) {
                None => {
                    added.insert(file.clone(), record);
                }
                Some(sha256) if *sha256 == record.sha256 => {
                    present.insert(file.clone());
                }
                Some(sha256) => {
                    return Err(RepositoryError::OtherBytes {
                        file: file.clone(),
                        there: (*sha256).to_owned(),
                        yours: record.sha256.clone(),
                    });
                }
            }
        }
        let becoming: BTreeSet<&str> =
            digests.keys().copied().chain(added.keys().map(String::as_str)).collect();
        for record in added.values() {
            both_halves(name, record, &becoming)?;
        }
        if !added.is_empty() {
            disk::create_folder(&self.layout().packages(name))?;
            let shown = self.link_packages(name, added.values()).and_then(|()| {
                let new = added
                    .values()
                    .map(|record| Listed { file: record.file.clone(), sha256: record.sha256.clone() });
                self.commit(&channel, appended(&channel, new.collect()), now)
            });
            if shown.is_err() && self.generation(name)? == channel.generation {
                // The first error is the one to tell; no metadata speaks of these links.
                let folder = self.layout().packages(name);
                let _ = added.keys().try_for_each(|file| disk::remove_file(&folder.join(file)));
            }
            shown?;
        }
        Ok(Published {
            channel: name.to_string(),
            added: added.into_keys().collect(),
            present: present.into_iter().collect(),
        })
    }

    fn link_packages<'a>(
        &self,
        channel: &Name,
        records: impl Iterator<Item = &'a std::sync::Arc<Record>>,
    ) -> Result<()> {
        let folder = self.layout().packages(channel);
        for record in records {
            disk::link(&self.layout().pooled(&record.name, &record.file), &folder.join(&record.file))?;
        }
        disk::sync_folder(&folder)
    }
}

/// Refuses a component's package whose other half is not in the channel.
fn both_halves(channel: &Name, record: &Record, becoming: &BTreeSet<&str>) -> Result<()> {
    let Some(other) = record.other_half() else { return Ok(()) };
    // The other half may have another architecture.
    let start = format!("{other}-{}.", record.evr());
    let mut near = becoming.range(start.as_str()..).map_while(|file| file.strip_prefix(&start));
    if near.any(|rest| rest.split('.').count() == 2) {
        return Ok(());
    }
    Err(RepositoryError::Alone {
        channel: channel.clone(),
        present: record.file.clone(),
        missing: format!("{other}-{}", record.evr()),
    })
}

/// The channel's members with `new` packages after them. Only the last member is made anew, and only
/// while it is not full.
fn appended(channel: &Channel, new: Vec<Listed>) -> Vec<Part> {
    let mut members = channel.members.clone();
    let mut open = match members.last() {
        Some(last) if last.packages.len() < MEMBER => {
            let packages = last.packages.clone();
            members.pop();
            packages
        }
        _ => Vec::new(),
    };
    open.extend(new);
    let kept = members.into_iter().map(Part::Kept);
    kept.chain(open.chunks(MEMBER).map(|packages| Part::New(packages.to_vec()))).collect()
}
