//! What may be in the signature header (tags: `rpmtag.h` of RPM). `rpm` adds its entries to those of the header when it reads a package, and
//! refuses the package where one does not fit.

use super::header_section::{BINARY_TYPE, RpmHeaderSection, STRING_ARRAY_TYPE, STRING_TYPE};

const INT32_TYPE: u32 = 4;
const INT64_TYPE: u32 = 5;

/// Signatures of the header: `RPMSIGTAG_DSA` (EdDSA too) and `RPMSIGTAG_RSA`.
pub(super) const HEADER_SIGNATURE_TAGS: [u32; 2] = [267, 268];
/// Signatures of header and payload, as `rpm` before 4 made them and still checks them: `RPMSIGTAG_PGP` (RSA) and
/// `RPMSIGTAG_GPG` (DSA).
pub(super) const HEADER_AND_PAYLOAD_SIGNATURE_TAGS: [u32; 2] = [1002, 1005];
/// `RPMSIGTAG_MD5`: of header and payload.
pub(super) const MD5_TAG: u32 = 1004;
/// `RPMSIGTAG_SHA1`: of the header.
pub(super) const SHA1_TAG: u32 = 269;
/// `RPMSIGTAG_SHA256`: of the header.
pub(super) const SHA256_TAG: u32 = 273;

/// An entry that `rpm` adds to the header.
struct SignatureHeaderTag {
    tag: u32,
    /// Its tag among those of the header.
    in_header: u32,
    kind: u32,
    /// How many items it has; `None` for any number.
    count: Option<usize>,
    /// Whether the header may have it instead.
    may_be_in_header: bool,
}

const fn tag(tag: u32, in_header: u32, kind: u32, count: Option<usize>) -> SignatureHeaderTag {
    SignatureHeaderTag { tag, in_header, kind, count, may_be_in_header: false }
}

const fn tag_allowed_in_either_header(
    tag: u32,
    in_header: u32,
    kind: u32,
    count: Option<usize>,
) -> SignatureHeaderTag {
    SignatureHeaderTag { tag, in_header, kind, count, may_be_in_header: true }
}

const SIGNATURE_HEADER_TAGS: [SignatureHeaderTag; 15] = [
    // Sizes of the package and its unpacked payload.
    tag(1000, 257, INT32_TYPE, Some(1)),
    tag_allowed_in_either_header(1007, 1046, INT32_TYPE, Some(1)),
    tag(270, 270, INT64_TYPE, Some(1)),
    tag(271, 271, INT64_TYPE, Some(1)),
    // Signatures and digests.
    tag(HEADER_AND_PAYLOAD_SIGNATURE_TAGS[0], 259, BINARY_TYPE, None),
    tag(HEADER_AND_PAYLOAD_SIGNATURE_TAGS[1], 262, BINARY_TYPE, None),
    tag(HEADER_SIGNATURE_TAGS[0], HEADER_SIGNATURE_TAGS[0], BINARY_TYPE, None),
    tag(HEADER_SIGNATURE_TAGS[1], HEADER_SIGNATURE_TAGS[1], BINARY_TYPE, None),
    tag(MD5_TAG, 261, BINARY_TYPE, Some(16)),
    tag(SHA1_TAG, SHA1_TAG, STRING_TYPE, Some(1)),
    tag(SHA256_TAG, SHA256_TAG, STRING_TYPE, Some(1)),
    // Signatures of single files.
    tag_allowed_in_either_header(274, 274, STRING_ARRAY_TYPE, None),
    tag_allowed_in_either_header(275, 275, INT32_TYPE, Some(1)),
    tag(276, 276, STRING_ARRAY_TYPE, None),
    tag(277, 277, INT32_TYPE, Some(1)),
];

/// Whether `rpm` can add the entries of the signature header to the header.
pub(super) fn can_merge_signature_header(
    head: &[u8],
    signatures: &RpmHeaderSection,
    header: &RpmHeaderSection,
) -> bool {
    SIGNATURE_HEADER_TAGS.iter().all(|known| {
        let of_header = header.find_entry(head, known.in_header);
        let mut found = signatures.iter_entries(head).filter(|entry| entry.tag == known.tag);
        match (found.next(), found.next()) {
            (None, _) => of_header.is_none() || known.may_be_in_header,
            (Some(entry), None) => {
                of_header.is_none()
                    && entry.kind == known.kind
                    && known.count.is_none_or(|count| count == entry.count)
            }
            (Some(_), Some(_)) => false,
        }
    })
}
