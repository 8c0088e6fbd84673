//! The payload: a cpio archive compressed with zstd, written piece by piece while its digests are computed.
//!
//! Nothing here is as large as a file of the package: a piece of 128 KiB and the compressor's own window are all
//! the memory it takes. Files of 4 GiB and more use the archive form RPM made for them, which keeps sizes in the
//! header.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use sha2::{Digest, Sha256};

use super::{
    PackagingError,
    collect_files::{CollectedContent, CollectedPath, new_packaged_path_error},
};

/// Archives whose files add up to more than this have sizes of 64 bits.
pub(super) const MAX_32_BIT_CPIO_CONTENT_BYTES: u64 = u32::MAX as u64;
const PIECE: usize = 128 * 1024;

/// What became known while writing.
pub(super) struct WrittenCpioArchiveDigests {
    /// SHA-256 of each item's content in hexadecimal; empty for what has none.
    pub(super) digests: Vec<String>,
    /// SHA-256 of the archive before compression.
    pub(super) archive_sha256: String,
    /// SHA-256 of what was written.
    pub(super) payload_sha256: String,
    /// How many bytes were written.
    pub(super) payload_size: u64,
}

/// Why writing stopped.
pub(super) enum CpioWriteError {
    /// The source is at fault.
    Source(PackagingError),
    /// The output could not be written.
    Output(io::Error),
}

impl From<io::Error> for CpioWriteError {
    fn from(error: io::Error) -> Self {
        CpioWriteError::Output(error)
    }
}

/// Writes the archive of `items` to `to`; every time in it is `time`.
pub(super) fn write_compressed_cpio_archive(
    items: &[CollectedPath],
    time: u32,
    level: i32,
    to: &mut File,
) -> Result<WrittenCpioArchiveDigests, CpioWriteError> {
    let large = items.iter().map(CollectedPath::size_in_bytes).sum::<u64>() > MAX_32_BIT_CPIO_CONTENT_BYTES;
    let compressor = zstd::stream::Encoder::new(Hashing::new(to), level)?;
    let mut archive = Hashing::new(compressor);
    let mut digests = Vec::with_capacity(items.len());
    let mut piece = vec![0; PIECE];
    for (index, item) in items.iter().enumerate() {
        let header = if large {
            format!("07070X{index:08x}\0\0").into_bytes()
        } else {
            newc(
                &format!(".{}", item.path),
                index as u32 + 1,
                type_and_mode_bits(item),
                time,
                item.size_in_bytes() as u32,
            )
        };
        archive.write_all(&header)?;
        digests.push(content(item, &mut archive, &mut piece)?);
        let padding = (4 - item.size_in_bytes() % 4) % 4;
        archive.write_all(&[0; 3][..padding as usize])?;
    }
    archive.write_all(&newc("TRAILER!!!", 0, 0, 0, 0))?;
    let (compressor, archive_sha256, _) = archive.finish();
    let (_, payload_sha256, payload_size) = compressor.finish()?.finish();
    Ok(WrittenCpioArchiveDigests { digests, archive_sha256, payload_sha256, payload_size })
}

/// Type and permission bits as `stat` has them.
pub(super) fn type_and_mode_bits(item: &CollectedPath) -> u16 {
    item.mode
        | match item.content {
            CollectedContent::File(..) | CollectedContent::Bytes(_) => 0o100_000,
            CollectedContent::Directory => 0o040_000,
            CollectedContent::Symlink(_) => 0o120_000,
        }
}

/// Writes one item's content and returns its digest.
fn content(
    item: &CollectedPath,
    archive: &mut impl Write,
    piece: &mut [u8],
) -> Result<String, CpioWriteError> {
    match &item.content {
        CollectedContent::Directory => Ok(String::new()),
        CollectedContent::Symlink(target) => {
            archive.write_all(target.as_bytes())?;
            Ok(String::new())
        }
        CollectedContent::Bytes(bytes) => {
            archive.write_all(bytes)?;
            Ok(hex::encode(Sha256::digest(bytes)))
        }
        CollectedContent::File(path, size) => {
            let place = path.display().to_string();
            let unreadable = |error: io::Error| {
                CpioWriteError::Source(new_packaged_path_error(&place, format!("it cannot be read: {error}")))
            };
            let changed = || {
                CpioWriteError::Source(new_packaged_path_error(
                    &place,
                    "its size changed while it was packaged; try again".to_owned(),
                ))
            };
            let mut file = File::open(path).map_err(unreadable)?;
            let mut digest = Sha256::new();
            let mut left = *size;
            loop {
                let count = match file.read(piece) {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(unreadable(error)),
                };
                if count == 0 {
                    break;
                }
                left = left.checked_sub(count as u64).ok_or_else(changed)?;
                digest.update(&piece[..count]);
                archive.write_all(&piece[..count])?;
            }
            if left > 0 {
                return Err(changed());
            }
            Ok(hex::encode(digest.finalize()))
        }
    }
}

/// The header of one entry in cpio's "newc" form, its name and padding included.
fn newc(name: &str, inode: u32, mode: u16, time: u32, size: u32) -> Vec<u8> {
    let fields = [inode, u32::from(mode), 0, 0, 1, time, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    let mut header = b"070701".to_vec();
    for field in fields {
        header.extend(format!("{field:08x}").bytes());
    }
    header.extend(name.bytes());
    header.push(0);
    header.resize(header.len().next_multiple_of(4), 0);
    header
}

/// A writer that knows the digest and length of what went through it.
struct Hashing<W> {
    inner: W,
    digest: Sha256,
    count: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, digest: Sha256::new(), count: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, hex::encode(self.digest.finalize()), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
