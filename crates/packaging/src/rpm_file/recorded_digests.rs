//! The digests that a package records of its header and payload. `rpm` refuses a package if one of them is wrong, whoever
//! signed it: those in the signature header are not covered by the signature.

use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    RpmReadOrVerifyError,
    header_section::{RpmHeaderSection, STRING_ARRAY_TYPE},
    signature_header::{MD5_TAG, SHA1_TAG, SHA256_TAG},
};

/// `RPMTAG_PAYLOADSHA256`: SHA-256 of the payload, in the header.
const PAYLOAD_SHA256_TAG: u32 = 5092;
/// `RPMTAG_PAYLOADSHA256ALT`: the same of the uncompressed payload.
const UNCOMPRESSED_PAYLOAD_SHA256_TAG: u32 = 5097;

/// What a package says that its digests are, in lower-case hexadecimal.
pub(super) struct RecordedDigests {
    header_sha1: Option<String>,
    header_sha256: Option<String>,
    header_and_payload_md5: Option<String>,
    payload_sha256: String,
}

impl RecordedDigests {
    /// Finds them in the signature header and in the header. Fails where one is not of the form that it must have.
    pub(super) fn read_recorded_digests(
        head: &[u8],
        signatures: &RpmHeaderSection,
        header: &RpmHeaderSection,
    ) -> Result<Self, &'static str> {
        // Their types and counts were checked when the section was read.
        let header_digest = |tag, length| {
            signatures.find_entry(head, tag).map(|entry| first_hex_text(entry.data, length)).transpose()
        };
        let payload_digest = |tag| match header.find_entry(head, tag) {
            None => Ok(None),
            Some(entry) if entry.kind == STRING_ARRAY_TYPE && entry.count == 1 => {
                first_hex_text(entry.data, 64).map(Some)
            }
            Some(_) => Err(MALFORMED),
        };
        // Its value need not be checked: `rpm` accepts the package when one of the two digests is right.
        payload_digest(UNCOMPRESSED_PAYLOAD_SHA256_TAG)?;
        Ok(Self {
            header_sha1: header_digest(SHA1_TAG, 40)?,
            header_sha256: header_digest(SHA256_TAG, 64)?,
            header_and_payload_md5: signatures.find_binary(head, MD5_TAG).map(hex::encode),
            payload_sha256: payload_digest(PAYLOAD_SHA256_TAG)?
                .ok_or("its header names no SHA-256 digest of the payload (rpm before 4.14?)")?,
        })
    }

    /// Compares the digests of the header.
    pub(super) fn check_header_digests(
        &self,
        shown: &Path,
        header: &[u8],
    ) -> Result<(), RpmReadOrVerifyError> {
        if let Some(expected) = &self.header_sha256 {
            let actual = hex::encode(Sha256::digest(header));
            compare(shown, "SHA-256 digest of the header", expected, actual)?;
        }
        if let Some(expected) = &self.header_sha1 {
            compare(shown, "SHA-1 digest of the header", expected, hex::encode(Sha1::digest(header)))?;
        }
        Ok(())
    }
}

const MALFORMED: &str = "one of its digests is malformed";

/// Digests of what is read after the header.
pub(super) struct RunningPayloadDigests {
    payload_sha256: Sha256,
    /// Only where one is recorded.
    header_and_payload_md5: Option<Md5>,
}

impl RunningPayloadDigests {
    /// Of nothing yet, but the header.
    pub(super) fn new(recorded: &RecordedDigests, header: &[u8]) -> Self {
        let header_and_payload_md5 =
            recorded.header_and_payload_md5.as_ref().map(|_| Md5::new_with_prefix(header));
        Self { payload_sha256: Sha256::new(), header_and_payload_md5 }
    }

    /// Adds the next bytes of the payload.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.payload_sha256.update(bytes);
        if let Some(digest) = &mut self.header_and_payload_md5 {
            digest.update(bytes);
        }
    }

    /// Compares the digests of the payload, once all of it was added.
    pub(super) fn check_payload_digests(
        self,
        shown: &Path,
        recorded: &RecordedDigests,
    ) -> Result<(), RpmReadOrVerifyError> {
        let actual = hex::encode(self.payload_sha256.finalize());
        if actual != recorded.payload_sha256 {
            let expected = recorded.payload_sha256.clone();
            return Err(RpmReadOrVerifyError::Content { file: shown.to_owned(), expected, actual });
        }
        match (self.header_and_payload_md5, &recorded.header_and_payload_md5) {
            (Some(digest), Some(expected)) => {
                compare(shown, "MD5 digest of header and payload", expected, hex::encode(digest.finalize()))
            }
            _ => Ok(()),
        }
    }
}

fn compare(
    shown: &Path,
    digest: &'static str,
    expected: &str,
    actual: String,
) -> Result<(), RpmReadOrVerifyError> {
    if actual == expected {
        return Ok(());
    }
    let expected = expected.to_owned();
    Err(RpmReadOrVerifyError::SignatureHeaderDigest { file: shown.to_owned(), digest, expected, actual })
}

/// The first text of an entry, which must be so many hexadecimal digits.
fn first_hex_text(data: &[u8], length: usize) -> Result<String, &'static str> {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    match text.len() == length && text.iter().all(u8::is_ascii_hexdigit) {
        true => Ok(String::from_utf8_lossy(text).to_ascii_lowercase()),
        false => Err(MALFORMED),
    }
}
