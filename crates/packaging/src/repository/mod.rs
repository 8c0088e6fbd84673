//! The YUM repository: packages come in, are published in channels and promoted between them.
//!
//! On disk, below the repository's folder:
//!
//! ```text
//! signing.key                          the secret key metadata is signed with (0600, never served)
//! keys.asc                             the public keys that packages and metadata are trusted by
//! lock                                 held while anything but `incoming/` is written
//! incoming/                            uploads and single files in progress
//! pool/NAME/FILE.rpm                   every package, once
//! index/NAME/FILE.jsonl                what each package is, and its pieces of the metadata
//! order.json                           the channels, in the order of promotion
//! members/CHANNEL/NNNNNNNN.json        generation N of a channel: which batches it is made of
//! members/CHANNEL/mNNNNNNNN            some hundred packages: their list and compressed metadata
//! channels/CHANNEL/                    a plain static YUM tree, served as it is
//!     packages/FILE.rpm                hard links into the pool
//!     generations/NNNNNNNN/            a YUM tree of its own that never changes:
//!         repodata/                    repomd.xml, repomd.xml.asc and the files they name
//!         packages -> ../../packages
//!     current -> generations/NNNNNNNN  swapped by one rename
//!     repodata/                        for readers without mirrorlist: links to the current repomd.xml
//!         NNNNNNNN-SHA256-FILE.xml.gz  and its signature, and the files of the last hour's generations
//! ```
//!
//! Every change ends in that one rename, so a reader, and a process that dies, see the old state or the
//! new one. A file in `repodata/` is written once and stays where it is until no reader can hold a
//! `repomd.xml` that names it, and so do the links of packages that left the channel.

mod catalog;
mod catalog_after;
mod channel_generation;
mod check;
mod commit_generation;
mod copy_repository;
mod durable_writes;
mod metadata_batch;
mod package_components;
mod package_index;
mod package_record;
mod promote;
mod promotion_order;
mod publish;
mod receive;
mod remove_leftovers;
mod repository_error;
mod repository_layout;
mod retain_versions;
mod trusted_keys;
mod withdraw;
mod write_metadata_batches;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::name::Name;

pub use catalog_after::VersionsPromotedAlong;
pub use check::RepositoryFinding;
pub use receive::PackageUpload;
pub use repository_error::RepositoryError;
pub use retain_versions::RetentionResult;
pub use trusted_keys::TrustedOrWithdrawnKey;
pub use withdraw::WithdrawnPackageFiles;

use crate::openpgp::SecretKey;

type Result<T> = std::result::Result<T, RepositoryError>;

/// A repository in a folder. Several threads and processes may use one folder at once.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    key: SecretKey,
    /// What was read already and cannot change: each entry is immutable on disk.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    channels: BTreeMap<Name, std::sync::Arc<channel_generation::ChannelGeneration>>,
    records: BTreeMap<String, std::sync::Arc<package_record::PackageRecord>>,
    halves: BTreeMap<Name, BTreeMap<u64, std::sync::Arc<catalog::ComponentPackagesInBatch>>>,
    catalog: Option<(u64, std::sync::Arc<model::catalog::ComponentCatalog>)>,
}

impl Repository {
    /// Makes a new repository in `root`, whose metadata `key` signs.
    ///
    /// It is one when its signing key is there, which is written last: what a process that was killed before has left
    /// is used or replaced.
    pub fn create_repository(root: &Path, key: SecretKey) -> Result<Self> {
        let repository = Self { root: root.to_owned(), key, known: Mutex::default() };
        let layout = repository.layout();
        for folder in layout.folders_to_create() {
            durable_writes::create_folder_and_parents(&folder)?;
        }
        let lock = repository.lock()?;
        let signing = layout.signing_key_path();
        if signing.exists() {
            return Err(RepositoryError::Exists { root: root.to_owned() });
        }
        // Channels are created after the key.
        if !repository.is_pool_empty()? || !repository.list_channels()?.is_empty() {
            return Err(RepositoryError::KeyLost { path: signing });
        }
        repository.write(&layout.trusted_keys_path(), repository.key.armored_public_key()?.as_bytes())?;
        durable_writes::write_secret_file_atomically(
            &layout.incoming_folder_path(),
            &signing,
            repository.key.to_armored_secret_text()?.as_bytes(),
        )?;
        drop(lock);
        Ok(repository)
    }

    /// Opens the repository in `root`.
    pub fn open_repository_and_clean_incoming(root: &Path) -> Result<Self> {
        let repository_key = repository_layout::RepositoryLayout(root).signing_key_path();
        if !repository_key.exists() {
            return Err(RepositoryError::Absent { root: root.to_owned() });
        }
        let key = SecretKey::load_secret_key_file(&repository_key)?;
        let repository = Self { root: root.to_owned(), key, known: Mutex::default() };
        // Leftovers of a killed process in `incoming/` are harmless; the next one may remove them.
        let _ = repository.remove_incoming_files_of_killed_processes();
        Ok(repository)
    }

    /// Whether no package was ever received, or all are gone again.
    fn is_pool_empty(&self) -> Result<bool> {
        Ok(durable_writes::list_folder_or_empty(&self.layout().pool_folder_path())?.is_empty())
    }

    /// Whether there is a repository in `root`.
    pub fn is_repository(root: &Path) -> bool {
        repository_layout::RepositoryLayout(root).signing_key_path().exists()
    }

    /// The folder whose sub-folders are the channels: what a web server may serve.
    pub fn served_channels_folder(&self) -> PathBuf {
        self.layout().channels_folder_path()
    }

    /// A number that grows with every publication, promotion or removal in any channel.
    pub fn sum_of_channel_generations(&self) -> Result<u64> {
        self.list_channels()?.iter().map(|channel| self.read_current_generation_number(channel)).sum()
    }

    fn layout(&self) -> repository_layout::RepositoryLayout<'_> {
        repository_layout::RepositoryLayout(&self.root)
    }

    /// Writes a single file: a reader finds the old or the new one.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        durable_writes::write_file_atomically(&self.layout().incoming_folder_path(), path, bytes)
    }

    /// Takes the write lock of the repository, waiting for other writers; dropping the result releases it.
    fn lock(&self) -> Result<File> {
        let path = self.layout().lock_file_path();
        let open = || {
            let file = File::options().create(true).write(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|why| RepositoryError::from_io_error("lock", &path, why))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is in there is whole at every moment, also when its last user panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
