//! The bytes of an RPM file before its payload: the lead, the signature header and the header.
//!
//! Every entry is checked as `rpm` itself checks it: what it would refuse on a host does not count as a package here.

use std::io::{self, Read};

const LEAD: usize = 96;
const INTRO: usize = 16;
const ENTRY: usize = 16;
/// What the largest header may weigh: some hundred thousand files. `rpm` itself stops at 256 MB.
const MAX_HEADER: usize = 64 << 20;
/// Signatures and digests: a few kilobytes, however large the package.
const MAX_SIGNATURES: usize = 1 << 20;
const MAX_ENTRIES: usize = 65_535;
/// `rpm` reads no more entries of a signature header.
const MAX_SIGNATURE_ENTRIES: usize = 32;
/// The kind of signature in the lead: a section of its own.
const SIGNATURE_SECTION_KIND: u8 = 5;

/// The region that a signature header is.
const SIGNATURE_REGION: u32 = 62;
/// The region that a header is.
const HEADER_REGION: u32 = 63;
/// Tags below are regions and the table of languages.
const FIRST_TAG: u32 = 100;

pub(super) const STRING_TYPE: u32 = 6;
pub(super) const BINARY_TYPE: u32 = 7;
pub(super) const STRING_ARRAY_TYPE: u32 = 8;

/// Why the start of a file is not that of a package.
pub(super) enum RpmSectionFault {
    Io(io::Error),
    Form(&'static str),
}

impl From<io::Error> for RpmSectionFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where a section lies in the bytes it was read into.
#[derive(Debug, Clone, Copy)]
pub(super) struct RpmHeaderSection {
    /// Its first byte.
    pub(super) start: usize,
    entries: usize,
    /// How many bytes of data follow the entries.
    data: usize,
}

/// One entry of a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct RpmSectionEntry<'a> {
    pub(super) tag: u32,
    pub(super) kind: u32,
    offset: usize,
    pub(super) count: usize,
    /// The data from its own to the end of the section.
    pub(super) data: &'a [u8],
}

impl RpmHeaderSection {
    /// The first entry with this tag, which is the one that `rpm` reads.
    pub(super) fn find_entry<'a>(&self, head: &'a [u8], tag: u32) -> Option<RpmSectionEntry<'a>> {
        self.iter_entries(head).find(|entry| entry.tag == tag)
    }

    /// The bytes of the first entry with this tag, which must be of a binary type.
    pub(super) fn find_binary<'a>(&self, head: &'a [u8], tag: u32) -> Option<&'a [u8]> {
        // That its bytes are there was checked when the section was read, its type when the sections were merged.
        self.find_entry(head, tag).and_then(|entry| entry.data.get(..entry.count))
    }

    /// All entries, in their order.
    pub(super) fn iter_entries<'a>(&self, head: &'a [u8]) -> impl Iterator<Item = RpmSectionEntry<'a>> {
        let index = &head[self.start + INTRO..][..self.entries * ENTRY];
        let data = &head[self.start + INTRO + self.entries * ENTRY..][..self.data];
        index.chunks_exact(ENTRY).map(|entry| {
            let offset = number(entry, 8) as usize;
            RpmSectionEntry {
                tag: number(entry, 0),
                kind: number(entry, 4),
                offset,
                count: number(entry, 12) as usize,
                data: data.get(offset..).unwrap_or_default(),
            }
        })
    }
}

/// Reads everything before the content, and finds the signatures and the header in it.
pub(super) fn read_lead_and_sections(
    input: &mut impl Read,
    bytes: &mut Vec<u8>,
) -> Result<(RpmHeaderSection, RpmHeaderSection), RpmSectionFault> {
    bytes.resize(LEAD, 0);
    input.read_exact(bytes)?;
    if bytes[..4] != [0xed, 0xab, 0xee, 0xdb] || !matches!(bytes[4], 3 | 4) {
        return Err(RpmSectionFault::Form("it does not start like one"));
    }
    if bytes[78..80] != [0, SIGNATURE_SECTION_KIND] {
        return Err(RpmSectionFault::Form("its lead names an unknown kind of signature"));
    }
    let signatures = read_section(input, bytes, SIGNATURE_REGION, MAX_SIGNATURE_ENTRIES, MAX_SIGNATURES)?;
    // The signature header is padded to eight bytes.
    let padding = (8 - bytes.len() % 8) % 8;
    take(input, bytes, padding)?;
    let header = read_section(input, bytes, HEADER_REGION, MAX_ENTRIES, MAX_HEADER)?;
    Ok((signatures, header))
}

fn take(input: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<(), RpmSectionFault> {
    // Grows with what is really there: a claim of megabytes in a tiny file costs nothing.
    let read = input.take(count as u64).read_to_end(bytes)?;
    if read == count { Ok(()) } else { Err(RpmSectionFault::Io(io::ErrorKind::UnexpectedEof.into())) }
}

/// Reads one section and checks that every entry stays within it, behind the one before.
fn read_section(
    input: &mut impl Read,
    bytes: &mut Vec<u8>,
    region: u32,
    max_entries: usize,
    limit: usize,
) -> Result<RpmHeaderSection, RpmSectionFault> {
    let start = bytes.len();
    take(input, bytes, INTRO)?;
    let intro = &bytes[start..];
    if intro[..8] != [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0] {
        return Err(RpmSectionFault::Form("a header does not start like one"));
    }
    let (entries, data) = (number(intro, 8) as usize, number(intro, 12) as usize);
    if entries == 0 || entries > max_entries || data > limit {
        return Err(RpmSectionFault::Form("a header claims more entries or bytes than any package has"));
    }
    take(input, bytes, entries * ENTRY + data)?;
    let section = RpmHeaderSection { start, entries, data };
    let mut found = section.iter_entries(bytes);
    let first = found.next().ok_or(RpmSectionFault::Form("a header has no entries"))?;
    let entries_in_region = count_entries_of_region(&section, &first, region)?;
    let trailer = first.offset..first.offset + ENTRY;
    let (mut end, mut packed) = (0, 0);
    for (place, entry) in (1..).zip(found) {
        // Entries never share bytes; overlapping ones would cost far more time to read than they have bytes.
        if entry.offset < end {
            return Err(RpmSectionFault::Form("header entries overlap, or are not in order"));
        }
        // `rpm` reads tags as signed 32-bit integers.
        if entry.tag < FIRST_TAG || i32::try_from(entry.tag).is_err() {
            return Err(RpmSectionFault::Form("a header entry has a tag that is reserved"));
        }
        let (size, alignment) = entry_size_and_alignment(&entry)?;
        end = entry.offset + size;
        let is_in_region = place < entries_in_region;
        if (is_in_region && end > trailer.start) || (!is_in_region && entry.offset < trailer.end) {
            return Err(RpmSectionFault::Form("a header entry does not fit into its region"));
        }
        packed = usize::next_multiple_of(packed, alignment) + size;
    }
    // `rpm` adds up what the entries have, and wants the region's trailer and nothing else beside them.
    if packed + ENTRY != data {
        return Err(RpmSectionFault::Form("a header has bytes that belong to no entry"));
    }
    Ok(section)
}

/// How many entries the region has that a section begins with: as many as its first entry and its trailer say, which must
/// fit each other. Only entries that were added later are behind it.
fn count_entries_of_region(
    section: &RpmHeaderSection,
    first: &RpmSectionEntry<'_>,
    region: u32,
) -> Result<usize, RpmSectionFault> {
    let fault = RpmSectionFault::Form("a header has no region, as packages have since rpm 4");
    let Some(trailer) = first.data.get(..ENTRY) else { return Err(fault) };
    let names_region = first.tag == region && first.kind == BINARY_TYPE && first.count == ENTRY;
    let is_trailer = number(trailer, 0) == region
        && number(trailer, 4) == BINARY_TYPE
        && number(trailer, 12) == ENTRY as u32;
    // Where the region starts, counted back from the trailer.
    let back = number(trailer, 8).wrapping_neg() as usize;
    let fits = back.is_multiple_of(ENTRY) && (1..=section.entries).contains(&(back / ENTRY));
    if names_region && is_trailer && fits { Ok(back / ENTRY) } else { Err(fault) }
}

/// How many bytes an entry has, and of what its place must be a multiple.
fn entry_size_and_alignment(entry: &RpmSectionEntry<'_>) -> Result<(usize, usize), RpmSectionFault> {
    let (size, alignment) = match entry.kind {
        1 | 2 | BINARY_TYPE => (Some(entry.count), 1),
        3 => (entry.count.checked_mul(2), 2),
        4 => (entry.count.checked_mul(4), 4),
        5 => (entry.count.checked_mul(8), 8),
        STRING_TYPE if entry.count == 1 => (strings(entry.data, 1), 1),
        STRING_ARRAY_TYPE | 9 => (strings(entry.data, entry.count), 1),
        _ => return Err(RpmSectionFault::Form("a header entry has an unknown type")),
    };
    size.filter(|size| *size > 0 && *size <= entry.data.len() && entry.offset.is_multiple_of(alignment))
        .map(|size| (size, alignment))
        .ok_or(RpmSectionFault::Form("a header entry does not fit into the header"))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The bytes that `count` NUL-terminated strings take, if they are there.
fn strings(data: &[u8], count: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    data.iter().enumerate().filter(|(_, byte)| **byte == 0).nth(last).map(|(at, _)| at + 1)
}
