//! Receiving: an upload becomes a package in the pool, or leaves nothing behind.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use model::wire::UploadedPackage;
use rpmrepo_metadata::Evr;
use tempfile::NamedTempFile;

use super::{
    Repository, RepositoryError, Result,
    durable_writes::{self, UnflushedWrites},
    package_index::PoolPackageIndexEntry,
    package_record::{PackageRecord, ParsedRpmFileName, RecordedComponentPackageKind},
};
use crate::{
    inspect,
    openpgp::SignatureError,
    rpm_file::{RpmFile, RpmReadOrVerifyError},
};

/// A package on its way into the repository: a file in `incoming/` that goes away unless it is received.
#[derive(Debug)]
pub struct PackageUpload {
    file: NamedTempFile,
    name: String,
    size: u64,
    limit: u64,
}

impl PackageUpload {
    /// Adds the next bytes. Fails when they are more than the upload may have.
    pub fn write_next_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(RepositoryError::TooLarge { file: self.name.clone(), limit: self.limit });
        }
        self.file
            .as_file()
            .write_all(bytes)
            .map_err(|why| RepositoryError::from_io_error("write", self.file.path(), why))
    }

    /// The error of an upload that broke off.
    pub fn broken_off_error(&self, why: io::Error) -> RepositoryError {
        RepositoryError::Upload { file: self.name.clone(), why }
    }
}

impl Repository {
    /// Takes in a package of at most `limit` bytes: [`Repository::begin_package_upload`] and
    /// [`Repository::check_and_store_uploaded_package`] with what a reader gives in between.
    pub fn receive_package(
        &self,
        mut reader: impl Read,
        file_name: &str,
        limit: u64,
    ) -> Result<UploadedPackage> {
        let mut upload = self.begin_package_upload(file_name, limit)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return self.check_and_store_uploaded_package(upload),
                Ok(read) => upload.write_next_bytes(&buffer[..read])?,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(upload.broken_off_error(why)),
            }
        }
    }

    /// Begins to take in a package of at most `limit` bytes.
    pub fn begin_package_upload(&self, file_name: &str, limit: u64) -> Result<PackageUpload> {
        if ParsedRpmFileName::parse_rpm_file_name(file_name).is_none() || file_name.len() > 240 {
            return Err(new_file_name_error(file_name, "it must be NAME-VERSION-RELEASE.ARCH.rpm"));
        }
        Ok(PackageUpload { file: self.create_incoming_file()?, name: file_name.to_owned(), size: 0, limit })
    }

    /// Takes in a package that is uploaded whole: its structure, content, signature and deployment are checked. It is in
    /// no channel yet. The same bytes again are no error; other bytes under the same name are. On any error nothing
    /// stays.
    pub fn check_and_store_uploaded_package(&self, upload: PackageUpload) -> Result<UploadedPackage> {
        let PackageUpload { file: upload, name: file_name, .. } = upload;
        upload
            .as_file()
            .sync_all()
            .map_err(|why| RepositoryError::from_io_error("write", upload.path(), why))?;
        let mut rpm_file = RpmFile::open_with_display_path(upload.path(), Path::new(&file_name))?;
        let signer =
            rpm_file.verify_header_signature(&self.read_trusted_and_withdrawn_keys()?).map_err(|error| {
                match error {
                    RpmReadOrVerifyError::Signature { why: SignatureError::UnknownKey { .. }, .. } => {
                        RepositoryError::UntrustedSigner(error)
                    }
                    error => RepositoryError::Package(error),
                }
            })?;
        let uploaded = upload
            .as_file()
            .metadata()
            .map_err(|why| RepositoryError::from_io_error("read", upload.path(), why))?;
        self.refuse_withdrawn_or_expired_key(&file_name, &signer, uploaded.mtime().max(0) as u64)?;
        let entry =
            PoolPackageIndexEntry::index_entry_from_rpm_file(&mut rpm_file, uploaded.mtime().max(0) as u64)?;
        let record = &entry.record;
        if record.file != file_name {
            return Err(new_file_name_error(&file_name, &format!("the package in it is {}", record.file)));
        }

        let faults = match &record.what {
            RecordedComponentPackageKind::Deployment(component) => {
                inspect::find_deployment_errors(&rpm_file, &component.name)?
            }
            RecordedComponentPackageKind::Payload(_) => inspect::find_payload_errors(&rpm_file)?,
            RecordedComponentPackageKind::Other => Vec::new(),
        };
        if !faults.is_empty() {
            return Err(RepositoryError::Deployment { file: record.file.clone(), faults });
        }

        let _lock = self.lock()?;
        let received =
            UploadedPackage { file: record.file.clone(), sha256: record.sha256.clone(), size: record.size };
        if self.layout().pool_package_path(&record.name, &record.file).is_file() {
            self.receive_again(record, &uploaded)?;
        } else {
            self.refuse_same_version(record)?;
            self.keep(upload, &entry)?;
        }
        Ok(received)
    }

    /// Puts a new package into the pool.
    fn keep(&self, upload: NamedTempFile, entry: &PoolPackageIndexEntry) -> Result<()> {
        let (name, file) = (&entry.record.name, &entry.record.file);
        let (pooled, indexed) =
            (self.layout().pool_package_path(name, file), self.layout().index_entry_path(name, file));
        let keep = || {
            let mut unflushed = UnflushedWrites::default();
            for path in [&pooled, &indexed] {
                unflushed.create_folder_tree(path.parent().unwrap_or(&self.root))?;
            }
            // An index entry without its package is ignored, so the package is moved last.
            unflushed.write_unflushed_file(&indexed, &entry.to_record_and_fragments_lines(&indexed)?)?;
            unflushed.flush_to_disk()?;
            upload
                .persist(&pooled)
                .map_err(|error| RepositoryError::from_io_error("write", &pooled, error.error))?;
            durable_writes::sync_folder(pooled.parent().unwrap_or(&self.root))
        };
        let kept = keep();
        if kept.is_err() {
            // The first error is returned. The package is removed first: an entry alone is ignored.
            let _ = [&pooled, &indexed]
                .into_iter()
                .try_for_each(|path| durable_writes::remove_file_if_present(path));
        }
        self.known().records.remove(file);
        kept
    }

    /// Takes in a package that is in the pool already: it counts as fresh again, and if its entry in the
    /// index was lost it gets a new one.
    fn receive_again(&self, record: &PackageRecord, uploaded: &fs::Metadata) -> Result<()> {
        let other_bytes = |there: &str| RepositoryError::OtherBytes {
            file: record.file.clone(),
            there: there.to_owned(),
            yours: record.sha256.clone(),
        };
        match self.read_index_entry(&record.file) {
            Ok(there) if there.record.sha256 != record.sha256 => {
                return Err(other_bytes(&there.record.sha256));
            }
            Ok(_) => (),
            Err(_) => {
                let (entry, _) = self.compute_index_entry_from_pool(&record.file)?;
                if entry.record.sha256 != record.sha256 {
                    return Err(other_bytes(&entry.record.sha256));
                }
                self.write_index_entry(&entry)?;
            }
        }
        // The package's own time is when it came in first. Retention looks at the younger one.
        let indexed = self.layout().index_entry_path(&record.name, &record.file);
        let touch = || fs::File::open(&indexed)?.set_modified(uploaded.modified()?);
        touch().map_err(|why| RepositoryError::from_io_error("write", &indexed, why))
    }

    /// Refuses another spelling of a version that is there: rpm, and so every host, takes them for one.
    fn refuse_same_version(&self, record: &PackageRecord) -> Result<()> {
        // `==` would compare the letters; rpm's rule is in the order.
        let same = |version: &str, release: &str| {
            let (one, other) =
                (Evr::new("", version, release), Evr::new("", &record.version, &record.release));
            one.cmp(&other).is_eq()
        };
        for file in
            durable_writes::list_folder_or_empty(&self.layout().pool_folder_path().join(&record.name))?
        {
            let Some(there) = ParsedRpmFileName::parse_rpm_file_name(&file) else { continue };
            let spelled_alike = there.version == record.version && there.release == record.release;
            if !spelled_alike
                && same(there.version, there.release)
                && self.read_package_record(&file).is_ok_and(|there| there.epoch == record.epoch)
            {
                return Err(RepositoryError::SameVersion {
                    file: record.file.clone(),
                    yours: record.version_and_release_text(),
                    theirs: format!("{}-{}", there.version, there.release),
                    there: file,
                });
            }
        }
        Ok(())
    }

    /// A new file in `incoming/`, locked as long as its process lives.
    fn create_incoming_file(&self) -> Result<NamedTempFile> {
        let _lock = self.lock()?;
        let incoming = self.layout().incoming_folder_path();
        let begin = || {
            let upload = tempfile::Builder::new()
                .prefix("upload-")
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(&incoming)?;
            upload.as_file().lock()?;
            Ok(upload)
        };
        begin().map_err(|why| RepositoryError::from_io_error("write", &incoming, why))
    }

    /// Removes what a killed process left: uploads whose lock is free, and everything that is made
    /// only under the repository's lock, which is ours now. Returns what was removed.
    pub(super) fn remove_incoming_files_of_killed_processes(&self) -> Result<Vec<PathBuf>> {
        let _lock = self.lock()?;
        let mut removed = Vec::new();
        for name in durable_writes::list_folder_or_empty(&self.layout().incoming_folder_path())? {
            let path = self.layout().incoming_folder_path().join(name);
            // A link may point to nothing.
            if path.is_symlink() || fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                durable_writes::remove_file_if_present(&path)?;
                removed.push(path);
            }
        }
        Ok(removed)
    }
}

fn new_file_name_error(given: &str, why: &str) -> RepositoryError {
    RepositoryError::FileName {
        given: given.chars().filter(|c| !c.is_control()).take(200).collect(),
        why: why.to_owned(),
    }
}
