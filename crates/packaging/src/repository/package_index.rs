//! The index: what every package in the pool is. Each entry is one file of two lines, the record and the
//! pieces of the channels' metadata, and can be made anew from the package.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
};

use super::{
    Repository, RepositoryError, Result, durable_writes,
    metadata_batch::ChannelPackageFileAndDigest,
    package_record::{PackageMetadataXmlFragments, PackageRecord, ParsedRpmFileName},
};
use crate::{
    inspect,
    rpm_file::{RpmFile, RpmReadOrVerifyError, new_malformed_rpm_error},
};

/// An entry of the index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PoolPackageIndexEntry {
    pub(super) record: PackageRecord,
    pub(super) fragments: PackageMetadataXmlFragments,
}

impl PoolPackageIndexEntry {
    /// The index entry of a package received at `received`. Reads all of it, and checks its
    /// content against its header.
    pub(super) fn index_entry_from_rpm_file(
        rpm_file: &mut RpmFile,
        received: u64,
    ) -> std::result::Result<Self, RpmReadOrVerifyError> {
        let record = PackageRecord::new(inspect::inspect_opened_and_verify_digests(rpm_file)?, received);
        let fragments = PackageMetadataXmlFragments::render_xml_fragments(&rpm_file.metadata, &record)
            .map_err(|why| new_malformed_rpm_error(&rpm_file.shown, &why.to_string()))?;
        Ok(Self { record, fragments })
    }

    pub(super) fn to_record_and_fragments_lines(&self, path: &Path) -> Result<Vec<u8>> {
        let mut lines = durable_writes::to_json_bytes(path, &self.record)?;
        lines.push(b'\n');
        lines.extend(durable_writes::to_json_bytes(path, &self.fragments)?);
        lines.push(b'\n');
        Ok(lines)
    }
}

impl Repository {
    /// The record of a package in the pool, as it is on disk now.
    pub(super) fn read_package_record(&self, file: &str) -> Result<Arc<PackageRecord>> {
        let name = self.pooled_name(file)?;
        let record: Arc<PackageRecord> = Arc::new(read_line(&self.layout().index_entry_path(name, file), 0)?);
        self.known().records.insert(file.to_owned(), Arc::clone(&record));
        Ok(record)
    }

    /// The record of a package that a channel lists; read once.
    pub(super) fn cached_or_read_package_record(
        &self,
        listed: &ChannelPackageFileAndDigest,
    ) -> Result<Arc<PackageRecord>> {
        if let Some(record) = self.known().records.get(&listed.file)
            && record.sha256 == listed.sha256
        {
            return Ok(Arc::clone(record));
        }
        self.read_package_record(&listed.file)
    }

    pub(super) fn read_metadata_fragments(&self, file: &str) -> Result<PackageMetadataXmlFragments> {
        let name = package_name(file)?;
        read_line(&self.layout().index_entry_path(name, file), 1)
    }

    /// The whole entry, as it is on disk now.
    pub(super) fn read_index_entry(&self, file: &str) -> Result<PoolPackageIndexEntry> {
        Ok(PoolPackageIndexEntry {
            record: (*self.read_package_record(file)?).clone(),
            fragments: self.read_metadata_fragments(file)?,
        })
    }

    /// The index entry of a package in the pool, computed from the package.
    pub(super) fn compute_index_entry_from_pool(
        &self,
        file: &str,
    ) -> Result<(PoolPackageIndexEntry, RpmFile)> {
        let pooled = self.layout().pool_package_path(self.pooled_name(file)?, file);
        let received = match self.read_package_record(file) {
            Ok(record) => record.received,
            // Nothing but the upload ever wrote to it.
            Err(_) => fs::metadata(&pooled)
                .map_err(|why| RepositoryError::from_io_error("read", &pooled, why))?
                .mtime()
                .max(0) as u64,
        };
        let mut rpm_file = RpmFile::open_with_display_path(&pooled, Path::new(file))?;
        Ok((PoolPackageIndexEntry::index_entry_from_rpm_file(&mut rpm_file, received)?, rpm_file))
    }

    /// Rewrites the entry of a listed package that does not match the package. A package
    /// with other bytes than the channel lists is left as it is: it is damaged itself.
    pub(super) fn repair_index_entry(&self, listed: &ChannelPackageFileAndDigest) -> Result<()> {
        let Ok((right, _)) = self.compute_index_entry_from_pool(&listed.file) else { return Ok(()) };
        if right.record.sha256 == listed.sha256
            && self.read_index_entry(&listed.file).ok().as_ref() != Some(&right)
        {
            let _lock = self.lock()?;
            // A retention may have taken the package away meanwhile.
            if self.pooled_name(&listed.file).is_ok() {
                self.write_index_entry(&right)?;
            }
        }
        Ok(())
    }

    /// Writes an entry of a package that is in the pool.
    pub(super) fn write_index_entry(&self, entry: &PoolPackageIndexEntry) -> Result<()> {
        let path = self.layout().index_entry_path(&entry.record.name, &entry.record.file);
        durable_writes::create_folder_and_parents(path.parent().unwrap_or(&self.root))?;
        self.write(&path, &entry.to_record_and_fragments_lines(&path)?)?;
        self.known().records.remove(&entry.record.file);
        Ok(())
    }

    /// The package name of a file that must be in the pool.
    fn pooled_name<'a>(&self, file: &'a str) -> Result<&'a str> {
        let name = package_name(file)?;
        // The package comes after its entry and goes before it, so its presence is what counts.
        if self.layout().pool_package_path(name, file).is_file() { Ok(name) } else { Err(absent(file)) }
    }
}

fn absent(file: &str) -> RepositoryError {
    RepositoryError::NotReceived { file: file.to_owned() }
}

fn package_name(file: &str) -> Result<&str> {
    ParsedRpmFileName::parse_rpm_file_name(file).map(|parsed| parsed.name).ok_or_else(|| absent(file))
}

/// Reads one line of JSON; the record is read without the fragments, which are much longer.
fn read_line<T: serde::de::DeserializeOwned>(path: &Path, number: usize) -> Result<T> {
    let read = || -> io::Result<Vec<u8>> {
        let mut lines = BufReader::new(fs::File::open(path)?);
        let mut line = Vec::new();
        for _ in 0..=number {
            line.clear();
            lines.read_until(b'\n', &mut line)?;
        }
        Ok(line)
    };
    let line = read().map_err(|why| RepositoryError::from_io_error("read", path, why))?;
    serde_json::from_slice(&line).map_err(|why| RepositoryError::new_damaged_file_error(path, why))
}
