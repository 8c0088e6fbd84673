//! Everything a repository can refuse, as sentences.

use std::{
    io,
    path::{Path, PathBuf},
};

use model::{
    fault::{self, Fault},
    name::Name,
};

use crate::{
    openpgp::{SecretKeyError, SignatureError},
    rpm_file::RpmReadOrVerifyError,
};

/// Why the repository did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// A file operation failed.
    #[error("cannot {doing} {}: {why}{}", .path.display(), advice(why))]
    Io {
        /// `read`, `write`, ...
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// The cause.
        why: io::Error,
    },
    /// A file of the repository's own does not make sense.
    #[error("{} is damaged: {why}; `punch repository check` names everything that is", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no repository.
    #[error("there is no repository in {}: `geppetto init` makes one", .root.display())]
    Absent {
        /// The folder.
        root: PathBuf,
    },
    /// There is one already.
    #[error("there is a repository in {} already", .root.display())]
    Exists {
        /// The folder.
        root: PathBuf,
    },
    /// The signing key of a repository that was used is gone.
    #[error(
        "the signing key {} is missing although the repository has been used: copy it back from a backup (`repository/signing.key`); hosts would refuse metadata signed by a new key",
        .path.display()
    )]
    KeyLost {
        /// The file.
        path: PathBuf,
    },
    /// The signing key.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    /// A key to be trusted.
    #[error("the keys cannot be trusted: {0}")]
    Trust(SignatureError),
    /// A key that is not there to be withdrawn.
    #[error("no package is trusted by a key `{fingerprint}` here; those it is trusted by: {known}")]
    NoKey {
        /// What was given.
        fingerprint: String,
        /// The keys there are.
        known: String,
    },
    /// The repository's own key.
    #[error("{fingerprint} is the key that the repository signs its metadata with; it cannot be withdrawn")]
    OwnKey {
        /// The key.
        fingerprint: String,
    },
    /// A package signed by a key that is trusted for earlier packages only.
    #[error(
        "{file} is signed by key {fingerprint}, which {why}: sign it with another key, or have this one renewed and trusted again (`punch key trust`)"
    )]
    KeyNotAccepted {
        /// The package.
        file: String,
        /// The key.
        fingerprint: String,
        /// `was withdrawn`
        why: &'static str,
    },
    /// A package signed by a key that is not trusted.
    #[error(
        "{0}; if its holder may publish here, an administrator lets the repository accept the key: `punch key trust FILE`, with what `punch key public` printed"
    )]
    UntrustedSigner(RpmReadOrVerifyError),
    /// An uploaded file is no package that may come in.
    #[error(transparent)]
    Package(#[from] RpmReadOrVerifyError),
    /// A package of a component that no server could be deployed with.
    #[error("{file} cannot be deployed; nothing of it was kept:{}", fault::format_fault_list(.faults))]
    Deployment {
        /// The file.
        file: String,
        /// What lint calls an error in its description, manifest, templates, paths and modes.
        faults: Vec<Fault>,
    },
    /// The name of an upload.
    #[error("`{given}` is not the name of a package file: {why}")]
    FileName {
        /// The name.
        given: String,
        /// What it should be.
        why: String,
    },
    /// An upload is too large.
    #[error("{file} is larger than the {limit} bytes an upload may have")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// An upload broke off.
    #[error("{file} was not received whole: {why}; nothing of it was kept, upload it again")]
    Upload {
        /// The file.
        file: String,
        /// The cause.
        why: io::Error,
    },
    /// Other bytes under a known name.
    #[error(
        "{file} is in the repository already with other bytes (SHA-256 there {there}, yours {yours}): a published version never changes, so raise the version or the release"
    )]
    OtherBytes {
        /// The file.
        file: String,
        /// The digest in the repository.
        there: String,
        /// The digest of what came.
        yours: String,
    },
    /// Another spelling of a version that is there.
    #[error(
        "{file} is the same version as {there}, which is in the repository: rpm treats `{yours}` and `{theirs}` as equal, so raise the version or the release"
    )]
    SameVersion {
        /// The file.
        file: String,
        /// Its version and release.
        yours: String,
        /// The file in the repository.
        there: String,
        /// The version and release of that.
        theirs: String,
    },
    /// Published before it was received.
    #[error("{file} is not in the repository: upload it first")]
    NotReceived {
        /// The file.
        file: String,
    },
    /// One of a component's two packages would be alone.
    #[error(
        "{present} cannot be in channel `{channel}` without {missing}: a component is deployed by both, so publish them together"
    )]
    Alone {
        /// The channel.
        channel: Name,
        /// The file that would be there.
        present: String,
        /// What would not.
        missing: String,
    },
    /// The channel is not there.
    #[error(
        "there is no channel `{channel}`{hint} (channels: {known}; `punch channel create` makes another)"
    )]
    NoChannel {
        /// The channel.
        channel: Name,
        /// `; did you mean ...?`, or nothing.
        hint: String,
        /// The channels there are.
        known: String,
    },
    /// A channel of that name has another place in the order of promotion.
    #[error("there is a channel `{channel}` already, elsewhere in the order of promotion ({order})")]
    ChannelExists {
        /// The channel.
        channel: Name,
        /// All channels, in order.
        order: String,
    },
    /// A promotion that does not go forward.
    #[error(
        "`{from}` does not come before `{to}` in the order of promotion ({order}): promote to a later channel, or publish the version in `{to}` itself"
    )]
    BackwardPromotion {
        /// The source channel.
        from: Name,
        /// The target channel.
        to: Name,
        /// All channels, in order.
        order: String,
    },
    /// There is no channel to promote to.
    #[error(
        "`{from}` is the last channel in the order of promotion ({order}): no channel comes after it; create one, or name an earlier source"
    )]
    NoNextChannel {
        /// The source channel.
        from: Name,
        /// All channels, in order.
        order: String,
    },
    /// The version is not there.
    #[error("channel `{channel}` has no version `{version}` of `{name}` ({known})")]
    NoVersion {
        /// The channel.
        channel: Name,
        /// The component.
        name: Name,
        /// The version.
        version: String,
        /// What it has.
        known: String,
    },
    /// A promotion would leave requirements open.
    #[error("`{root}` cannot be promoted from `{from}` to `{to}`: {missing}")]
    Incomplete {
        /// `shop 1.2.0-1`
        root: String,
        /// The source channel.
        from: Name,
        /// The target channel.
        to: Name,
        /// What is missing, and who needs it.
        missing: String,
    },
    /// A withdrawal would leave requirements open.
    #[error(
        "`{withdrawn}` cannot be withdrawn from `{channel}`: {requirements}, and no other version in `{channel}` fits; withdraw {requirers} first"
    )]
    StillRequired {
        /// `shop 1.2.0-1`
        withdrawn: String,
        /// The channel.
        channel: Name,
        /// Who requires it, and how.
        requirements: String,
        /// Those who require it: what to withdraw first.
        requirers: String,
    },
}

impl RepositoryError {
    /// Whether there is no room left on the repository's disk.
    pub fn is_disk_full(&self) -> bool {
        let (Self::Io { why, .. } | Self::Upload { why, .. }) = self else { return false };
        matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(super) fn from_io_error(doing: &'static str, path: &Path, why: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), why }
    }

    pub(super) fn new_damaged_file_error(path: &Path, why: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.to_string() }
    }
}

fn advice(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing was published: free some space (`punch repository retain` removes old versions) and try again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; the user that runs geppetto must be able to write there"
        }
        _ => "",
    }
}
