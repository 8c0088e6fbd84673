//! Receiving: an upload becomes a package in the pool, or leaves nothing behind.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use model::wire::Received;
use tempfile::NamedTempFile;

use super::{
    Repository, RepositoryError, Result, disk,
    record::{Fragments, Record, package_name},
};
use crate::{
    envelope::{Envelope, malformed},
    inspect,
};

impl Repository {
    /// Takes in a package of at most `limit` bytes: streamed to the disk, its structure, content and
    /// signature checked there. It is in no channel yet. The same bytes again are no error; other bytes
    /// under the same name are. On any error nothing stays.
    pub fn receive(&self, mut reader: impl Read, file_name: &str, limit: u64) -> Result<Received> {
        let wrong_name = |why: &str| RepositoryError::FileName {
            given: file_name.chars().filter(|c| !c.is_control()).take(200).collect(),
            why: why.to_owned(),
        };
        if package_name(file_name).is_none() || file_name.len() > 240 {
            return Err(wrong_name("it must be NAME-VERSION-RELEASE.ARCH.rpm"));
        }
        let upload = self.begin_upload()?;
        self.store(&mut reader, upload.as_file(), file_name, limit)?;

        let mut envelope = Envelope::open_as(upload.path(), Path::new(file_name))?;
        envelope.verify(&self.keys()?)?;
        let record = Record::new(inspect::look_into(&mut envelope)?);
        if record.file != file_name {
            return Err(wrong_name(&format!("the package in it is {}", record.file)));
        }
        let modified = fs::metadata(upload.path()).map_or(0, |metadata| metadata.mtime().max(0) as u64);
        let fragments = Fragments::new(&envelope.metadata, &record, modified)
            .map_err(|why| malformed(Path::new(file_name), &why.to_string()))?;

        let _lock = self.lock()?;
        let received =
            Received { file: record.file.clone(), sha256: record.sha256.clone(), size: record.size };
        let layout = self.layout();
        let pooled = layout.pooled(&record.name, &record.file);
        if pooled.is_file() {
            let there: Record = disk::read_json(&layout.record(&record.name, &record.file))?;
            if there.sha256 != record.sha256 {
                return Err(RepositoryError::OtherBytes {
                    file: record.file,
                    there: there.sha256,
                    yours: record.sha256,
                });
            }
            return Ok(received);
        }
        let index = [layout.fragments(&record.name, &record.file), layout.record(&record.name, &record.file)];
        let keep = || {
            for path in [&pooled, &index[0]] {
                disk::create_folder(path.parent().unwrap_or(&self.root))?;
            }
            disk::replace(&index[0], &disk::json(&index[0], &fragments)?)?;
            disk::replace(&index[1], &disk::json(&index[1], &record)?)?;
            disk::sync_folder(index[0].parent().unwrap_or(&self.root))?;
            upload.persist(&pooled).map_err(|error| RepositoryError::io("write", &pooled, error.error))?;
            disk::sync_folder(pooled.parent().unwrap_or(&self.root))
        };
        if let Err(error) = keep() {
            // The first error is the one to tell; these files mean nothing without their package.
            let _ = index.iter().try_for_each(|path| disk::remove_file(path));
            return Err(error);
        }
        self.known().records.remove(&record.file);
        Ok(received)
    }

    /// A new file in `incoming/`, locked as long as its process lives.
    fn begin_upload(&self) -> Result<NamedTempFile> {
        let _lock = self.lock()?;
        let incoming = self.layout().incoming();
        let begin = || {
            let upload = tempfile::Builder::new()
                .prefix("upload-")
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(&incoming)?;
            upload.as_file().lock()?;
            Ok(upload)
        };
        begin().map_err(|why| RepositoryError::io("write", &incoming, why))
    }

    /// Removes uploads whose process was killed: nobody holds their lock.
    pub(super) fn sweep_incoming(&self) -> Result<()> {
        let _lock = self.lock()?;
        for name in disk::list(&self.layout().incoming())? {
            let path = self.layout().incoming().join(name);
            if fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                disk::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn store(&self, reader: &mut impl Read, mut file: &fs::File, name: &str, limit: u64) -> Result<()> {
        let mut buffer = vec![0; 1 << 16];
        let mut size = 0;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                Err(why) => return Err(RepositoryError::Upload { file: name.to_owned(), why }),
            };
            size += read as u64;
            if size > limit {
                return Err(RepositoryError::TooLarge { file: name.to_owned(), limit });
            }
            file.write_all(&buffer[..read])
                .map_err(|why| RepositoryError::io("write", &self.layout().incoming(), why))?;
        }
        file.sync_all().map_err(|why| RepositoryError::io("write", &self.layout().incoming(), why))
    }
}
