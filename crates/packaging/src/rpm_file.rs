//! An RPM file: its parts, whether they hold together, and who signed it.
//!
//! The headers' geometry is checked here before the `rpm` crate interprets them: that crate trusts the
//! offsets and counts it reads, and these bytes are untrusted. The signature is checked over the
//! header's bytes as they stand in the file, never over a copy that was read and written again.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use rpm::{IndexTag, PackageMetadata};
use sha2::{Digest, Sha256};

use crate::openpgp::{KeyFingerprint, SignatureError, TrustedPublicKeys};

const LEAD: usize = 96;
const INTRO: usize = 16;
const ENTRY: usize = 16;
/// What the largest header may weigh: some hundred thousand files. `rpm` itself stops at 256 MB.
const MAX_HEADER: usize = 64 << 20;
/// Signatures and digests: a few kilobytes, however large the package.
const MAX_SIGNATURES: usize = 1 << 20;
const MAX_ENTRIES: usize = 65_535;

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
    /// The payload is not the one that was signed.
    #[error(
        "the content of {} does not match its header: it was changed or cut off after packaging (SHA-256 {actual}, header has {expected})",
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

/// An RPM file whose headers are whole; its content has not been looked at yet.
pub(crate) struct RpmFile {
    /// Where the file is.
    pub(crate) path: PathBuf,
    /// What people call it: errors name this.
    pub(crate) shown: PathBuf,
    file: BufReader<File>,
    /// Lead, signatures and header, as they stand in the file. The content follows.
    head: Vec<u8>,
    /// Where the header starts in `head`: from there on is what signatures are over.
    header: usize,
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
        let parts = parts(&mut file).map_err(|fault| match fault {
            Fault::Io(why) if why.kind() != io::ErrorKind::UnexpectedEof => io(why),
            Fault::Io(_) => new_malformed_rpm_error(shown, "it ends in the middle of its headers"),
            Fault::Form(why) => new_malformed_rpm_error(shown, why),
        })?;
        let metadata = PackageMetadata::parse(&mut Cursor::new(&parts.bytes))
            .map_err(|why| new_malformed_rpm_error(shown, &why.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            shown: shown.to_owned(),
            file,
            head: parts.bytes,
            header: parts.header,
            metadata,
        })
    }

    /// Checks that one of `keys` signed the header.
    pub(crate) fn verify_header_signature(
        &self,
        keys: &TrustedPublicKeys,
    ) -> Result<KeyFingerprint, RpmReadOrVerifyError> {
        let signatures = self.metadata.raw_signatures().map_err(|why| {
            new_malformed_rpm_error(&self.shown, &format!("its signature cannot be read: {why}"))
        })?;
        let mut refusal = None;
        for signature in &signatures {
            match keys.verify_signature_packet(&self.head[self.header..], signature) {
                Ok(signer) => return Ok(signer),
                Err(why) => refusal = Some(why),
            }
        }
        Err(match refusal {
            Some(why) => RpmReadOrVerifyError::Signature { file: self.shown.clone(), why },
            None => RpmReadOrVerifyError::Unsigned { file: self.shown.clone() },
        })
    }

    /// Reads the content once and checks it against the digest in the header; returns the digest of the
    /// whole file and its size.
    pub(crate) fn verify_payload_and_hash_whole_file(
        &mut self,
    ) -> Result<(String, u64), RpmReadOrVerifyError> {
        let expected = self
            .metadata
            .header
            .get_entry_data_as_string_array(IndexTag::RPMTAG_PAYLOADSHA256)
            .ok()
            .and_then(|digests| digests.first().map(|digest| (*digest).to_owned()))
            .ok_or_else(|| {
                new_malformed_rpm_error(
                    &self.shown,
                    "its header names no SHA-256 digest of the content (rpm before 4.14?)",
                )
            })?;
        let io = |why| RpmReadOrVerifyError::Read { file: self.shown.clone(), why };
        self.file.seek(SeekFrom::Start(self.head.len() as u64)).map_err(io)?;
        let mut whole = Sha256::new_with_prefix(&self.head);
        let mut content = Sha256::new();
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
        let actual = hex::encode(content.finalize());
        if actual != expected {
            return Err(RpmReadOrVerifyError::Content { file: self.shown.clone(), expected, actual });
        }
        Ok((hex::encode(whole.finalize()), size))
    }
}

pub(crate) fn new_malformed_rpm_error(file: &Path, why: &str) -> RpmReadOrVerifyError {
    RpmReadOrVerifyError::Malformed { file: file.to_owned(), why: why.to_owned() }
}

enum Fault {
    Io(io::Error),
    Form(&'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Parts {
    /// Lead, signatures and header, as they stand in the file.
    bytes: Vec<u8>,
    /// Where the header starts.
    header: usize,
}

fn parts(input: &mut impl Read) -> Result<Parts, Fault> {
    let mut bytes = vec![0; LEAD];
    input.read_exact(&mut bytes)?;
    if bytes[..4] != [0xed, 0xab, 0xee, 0xdb] {
        return Err(Fault::Form("it does not start like one"));
    }
    section(input, &mut bytes, MAX_SIGNATURES)?;
    // The signature section is padded to eight bytes.
    let padding = (8 - bytes.len() % 8) % 8;
    take(input, &mut bytes, padding)?;
    let header = bytes.len();
    section(input, &mut bytes, MAX_HEADER)?;
    Ok(Parts { bytes, header })
}

fn take(input: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<(), Fault> {
    // Grows with what is really there: a claim of megabytes in a tiny file costs nothing.
    let read = input.take(count as u64).read_to_end(bytes)?;
    if read == count { Ok(()) } else { Err(Fault::Io(io::ErrorKind::UnexpectedEof.into())) }
}

/// Reads one header section and checks that every entry stays within it.
fn section(input: &mut impl Read, bytes: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    let start = bytes.len();
    take(input, bytes, INTRO)?;
    let intro = &bytes[start..];
    if intro[..4] != [0x8e, 0xad, 0xe8, 0x01] {
        return Err(Fault::Form("a header does not start like one"));
    }
    let (entries, store) = (number(intro, 8), number(intro, 12));
    if entries == 0 || entries > MAX_ENTRIES || store > limit {
        return Err(Fault::Form("a header claims more entries or bytes than any package has"));
    }
    take(input, bytes, entries * ENTRY + store)?;
    let (index, store) = bytes[start + INTRO..].split_at(entries * ENTRY);
    let mut held = 0;
    for entry in index.chunks_exact(ENTRY) {
        let (kind, offset, count) = (number(entry, 4), number(entry, 8), number(entry, 12));
        let data = store.get(offset..).ok_or(Fault::Form("a header entry points outside the header"))?;
        let size = match kind {
            0 => Some(0),
            1 | 2 | 7 => Some(count),
            3 => count.checked_mul(2),
            4 => count.checked_mul(4),
            5 => count.checked_mul(8),
            6 => strings(data, 1),
            8 | 9 => strings(data, count),
            _ => return Err(Fault::Form("a header entry has an unknown type")),
        };
        let size = size
            .filter(|size| *size <= data.len())
            .ok_or(Fault::Form("a header entry does not fit into the header"))?;
        // Entries never share bytes in an honest header; overlapping ones would cost far more time to
        // read than they have bytes.
        held += size;
        if held > store.len() {
            return Err(Fault::Form("header entries overlap"));
        }
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

/// The bytes that `count` NUL-terminated strings take, if they are there.
fn strings(data: &[u8], count: usize) -> Option<usize> {
    if count == 0 {
        return Some(0);
    }
    data.iter().enumerate().filter(|(_, byte)| **byte == 0).nth(count - 1).map(|(at, _)| at + 1)
}
