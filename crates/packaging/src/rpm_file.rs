//! An RPM file: its parts, whether they hold together, and who signed it.
//!
//! The headers' geometry is checked here before the `rpm` crate interprets them: that crate trusts the
//! offsets and counts it reads, and these bytes are untrusted. The signature is checked over the
//! header's bytes as they stand in the file, never over a copy that was read and written again.

mod header_section;
mod recorded_digests;
mod signature_header;

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use model::fault::without_control_characters;
use rpm::PackageMetadata;
use sha2::{Digest, Sha256};

use self::{
    header_section::{RpmHeaderSection, RpmSectionFault},
    recorded_digests::{RecordedDigests, RunningPayloadDigests},
};
use crate::openpgp::{SignatureError, TrustedPublicKeys, VerifiedSigner};

/// Why a file is not a package that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RpmReadOrVerifyError {
    /// It could not be read.
    #[error("cannot read {}: {why}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The cause.
        why: io::Error,
    },
    /// It is not an RPM package, or only a part of one.
    #[error("{} is not a whole RPM package: {why}", .file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is not signed.
    #[error("{} is not signed: sign it while packaging (`punch package --key FILE`)", .file.display())]
    Unsigned {
        /// The file.
        file: PathBuf,
    },
    /// The signature does not count.
    #[error("{} is refused: {why}", .file.display())]
    Signature {
        /// The file.
        file: PathBuf,
        /// Why.
        why: SignatureError,
    },
    /// A digest in the signature header is not that of the package.
    #[error(
        "{} is refused, and rpm on a host would refuse it too: its {digest} is {actual}, its signature header has {expected}; build and sign it again",
        .file.display()
    )]
    SignatureHeaderDigest {
        /// The file.
        file: PathBuf,
        /// Which digest: `MD5 digest of header and payload`.
        digest: &'static str,
        /// What the signature header has.
        expected: String,
        /// The digest of what is there.
        actual: String,
    },
    /// The payload is not the one that was signed.
    #[error(
        "the payload of {} does not match its header: it was changed or cut off after packaging (SHA-256 {actual}, header has {expected})",
        .file.display()
    )]
    Content {
        /// The file.
        file: PathBuf,
        /// The digest in the header.
        expected: String,
        /// The digest of what is there.
        actual: String,
    },
}

/// An RPM file whose headers are whole; its payload has not been read yet.
pub(crate) struct RpmFile {
    /// Where the file is.
    pub(crate) path: PathBuf,
    /// What people call it: errors name this.
    pub(crate) shown: PathBuf,
    file: BufReader<File>,
    /// Lead, signature header and header, as they stand in the file. The payload follows.
    head: Vec<u8>,
    /// The signatures and digests in `head`.
    signatures: RpmHeaderSection,
    /// The header in `head`: what signatures are over.
    header: RpmHeaderSection,
    /// The headers, interpreted.
    pub(crate) metadata: PackageMetadata,
}

impl RpmFile {
    /// Reads and checks the headers.
    pub(crate) fn open_and_read_headers(path: &Path) -> Result<Self, RpmReadOrVerifyError> {
        Self::open_with_display_path(path, path)
    }

    /// Like [`RpmFile::open_and_read_headers`] for a file that errors name as `shown`.
    pub(crate) fn open_with_display_path(path: &Path, shown: &Path) -> Result<Self, RpmReadOrVerifyError> {
        let io = |why| RpmReadOrVerifyError::Read { file: shown.to_owned(), why };
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let mut head = Vec::new();
        let sections = header_section::read_lead_and_sections(&mut file, &mut head);
        let (signatures, header) = sections.map_err(|fault| match fault {
            RpmSectionFault::Io(why) if why.kind() != io::ErrorKind::UnexpectedEof => io(why),
            RpmSectionFault::Io(_) => new_malformed_rpm_error(shown, "it ends in the middle of its headers"),
            RpmSectionFault::Form(why) => new_malformed_rpm_error(shown, why),
        })?;
        if !signature_header::can_merge_signature_header(&head, &signatures, &header) {
            let why = "its signature header has an entry that rpm does not accept";
            return Err(new_malformed_rpm_error(shown, why));
        }
        let metadata = PackageMetadata::parse(&mut Cursor::new(&head))
            .map_err(|why| new_malformed_rpm_error(shown, &why.to_string()))?;
        Ok(Self { path: path.to_owned(), shown: shown.to_owned(), file, head, signatures, header, metadata })
    }

    /// Checks that the header is signed by one of `keys`, and that there is no other signature: `rpm` refuses a package
    /// if one of its signatures is not good. Gives the signer.
    pub(crate) fn verify_header_signature(
        &self,
        keys: &TrustedPublicKeys,
    ) -> Result<VerifiedSigner, RpmReadOrVerifyError> {
        let refused = |why| RpmReadOrVerifyError::Signature { file: self.shown.clone(), why };
        let io = |why| RpmReadOrVerifyError::Read { file: self.shown.clone(), why };
        let header = &self.head[self.header.start..];
        let mut signer = None;
        // Where there is a list of signatures, as `rpm` 6 makes it, these are all of it.
        let listed = self.metadata.raw_signatures().map_err(|why| {
            new_malformed_rpm_error(&self.shown, &format!("its signature cannot be read: {why}"))
        })?;
        for packet in &listed {
            signer = Some(keys.verify_signature_packet(header, packet).map_err(refused)?);
        }
        for tag in signature_header::HEADER_SIGNATURE_TAGS {
            let Some(packet) = self.signatures.find_binary(&self.head, tag) else { continue };
            // Where there is no list, the library gives these as one.
            if !listed.iter().any(|verified| verified[..] == *packet) {
                signer = Some(keys.verify_signature_packet(header, packet).map_err(refused)?);
            }
        }
        let signer = signer.ok_or_else(|| RpmReadOrVerifyError::Unsigned { file: self.shown.clone() })?;
        for tag in signature_header::HEADER_AND_PAYLOAD_SIGNATURE_TAGS {
            let Some(packet) = self.signatures.find_binary(&self.head, tag) else { continue };
            let mut content = File::open(&self.path).map_err(io)?;
            content.seek(SeekFrom::Start(self.head.len() as u64)).map_err(io)?;
            keys.verify_signature_packet(header.chain(content), packet).map_err(refused)?;
        }
        Ok(signer)
    }

    /// Reads the content once and checks it and the header against all digests that are recorded of them; returns the
    /// digest of the whole file and its size.
    pub(crate) fn verify_payload_and_hash_whole_file(
        &mut self,
    ) -> Result<(String, u64), RpmReadOrVerifyError> {
        let recorded = RecordedDigests::read_recorded_digests(&self.head, &self.signatures, &self.header)
            .map_err(|why| new_malformed_rpm_error(&self.shown, why))?;
        recorded.check_header_digests(&self.shown, &self.head[self.header.start..])?;
        let io = |why| RpmReadOrVerifyError::Read { file: self.shown.clone(), why };
        self.file.seek(SeekFrom::Start(self.head.len() as u64)).map_err(io)?;
        let mut whole = Sha256::new_with_prefix(&self.head);
        let mut content = RunningPayloadDigests::new(&recorded, &self.head[self.header.start..]);
        let mut size = self.head.len() as u64;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = self.file.read(&mut buffer).map_err(io)?;
            if read == 0 {
                break;
            }
            whole.update(&buffer[..read]);
            content.update(&buffer[..read]);
            size += read as u64;
        }
        content.check_payload_digests(&self.shown, &recorded)?;
        Ok((hex::encode(whole.finalize()), size))
    }
}

pub(crate) fn new_malformed_rpm_error(file: &Path, why: &str) -> RpmReadOrVerifyError {
    RpmReadOrVerifyError::Malformed { file: file.to_owned(), why: without_control_characters(why.to_owned()) }
}
