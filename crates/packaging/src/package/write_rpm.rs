//! One package as an RPM file: the header from the RPM library, the payload streamed beside it.
//!
//! The library builds packages in memory. It is therefore given the same paths with no content, and the few
//! header entries that depend on content are replaced by what streaming found.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use rpm::{
    BuildConfig, CompressionWithLevel, Dependency, FileOptions, Header, HeaderEntry, IndexData, IndexTag,
    PackageBuilder, PackageMetadata, RpmFormat, SignatureHeaderBuilder, Timestamp, signature::Signing,
};
use tempfile::{NamedTempFile, TempPath};

use super::{
    PackagingError,
    collect_files::{CollectedContent, CollectedPath},
    cpio_archive::{self, CpioWriteError, WrittenCpioArchiveDigests},
    package_to_write::PackageToWrite,
};
use crate::{openpgp::SecretKey, source::ComponentSource};

/// How the names of this process's temporary files begin in the folder that packages are written to. The random part tells
/// them from those of a process with the same number in another container that writes to the same folder.
pub fn temporary_package_prefix() -> String {
    static RANDOM: LazyLock<u64> = LazyLock::new(rand::random);
    format!(".geppetto-{}-{:016x}-", std::process::id(), *RANDOM)
}

/// What all packages of one run share.
pub(super) struct RpmWriteSettings<'a> {
    pub(super) key: Option<&'a SecretKey>,
    pub(super) source_date: u32,
    pub(super) level: i32,
}

/// The folder packages are written to.
pub(super) struct PackageOutputFolder {
    dir: PathBuf,
}

impl PackageOutputFolder {
    /// Makes the folder, if it is not there.
    pub(super) fn create_or_open_output_folder(dir: &Path) -> Result<PackageOutputFolder, PackagingError> {
        let output = PackageOutputFolder { dir: dir.to_path_buf() };
        fs::create_dir_all(dir).map_err(|error| output.failed(&error))?;
        Ok(output)
    }

    fn failed(&self, error: &io::Error) -> PackagingError {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("{error}; free some space there, or write elsewhere with `--out`")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                format!("{error}; write elsewhere with `--out`")
            }
            _ => error.to_string(),
        };
        PackagingError::Write { dir: self.dir.clone(), reason }
    }

    fn temporary(&self) -> Result<NamedTempFile, PackagingError> {
        tempfile::Builder::new()
            .prefix(&temporary_package_prefix())
            .tempfile_in(&self.dir)
            .map_err(|error| self.failed(&error))
    }
}

/// A package that is written, but does not have its name yet: dropping it leaves nothing.
pub(super) struct TemporaryPackage {
    file: NamedTempFile,
    output: PackageOutputFolder,
    name: String,
}

impl TemporaryPackage {
    /// Where it will be.
    pub(super) fn final_path(&self) -> PathBuf {
        self.output.dir.join(&self.name)
    }

    /// The file that has the name now, moved aside; dropping it removes it.
    pub(super) fn move_existing_package_aside(&self) -> Result<Option<TempPath>, PackagingError> {
        let path = self.final_path();
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let aside = self.output.temporary()?.into_temp_path();
        fs::rename(&path, &aside).map_err(|error| self.output.failed(&error))?;
        Ok(Some(aside))
    }

    /// Gives the file its name, replacing one that has it.
    pub(super) fn rename_to_final_path(self) -> Result<PathBuf, PackagingError> {
        let path = self.final_path();
        self.file.persist(&path).map_err(|error| self.output.failed(&error.error))?;
        Ok(path)
    }
}

/// Writes one package to a temporary file in `out`.
pub(super) fn write_temporary_rpm_package(
    source: &ComponentSource,
    package: &PackageToWrite,
    out: &PackageOutputFolder,
    settings: &RpmWriteSettings<'_>,
) -> Result<TemporaryPackage, PackagingError> {
    let refused =
        |error: rpm::Error| PackagingError::Rpm { package: package.name.clone(), reason: error.to_string() };
    let failed = |error: io::Error| out.failed(&error);
    let skeleton = skeleton(source, package, settings).map_err(refused)?;

    let mut payload = out.temporary()?;
    let written = cpio_archive::write_compressed_cpio_archive(
        &package.items,
        settings.source_date,
        settings.level,
        payload.as_file_mut(),
    )
    .map_err(|stop| match stop {
        CpioWriteError::Source(error) => error,
        CpioWriteError::Output(error) => failed(error),
    })?;

    let metadata = metadata(skeleton, package, &written, settings).map_err(refused)?;
    let mut file = out.temporary()?;
    let mut head = Vec::new();
    metadata.write(&mut head).map_err(refused)?;
    let mut finish = || -> io::Result<()> {
        file.write_all(&head)?;
        payload.as_file_mut().seek(SeekFrom::Start(0))?;
        io::copy::<File, File>(payload.as_file_mut(), file.as_file_mut())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))
    };
    finish().map_err(failed)?;
    let version = &source.component.version;
    let name = format!("{}-{version}.{}.rpm", package.name, package.arch.rpm_arch_name());
    Ok(TemporaryPackage { file, output: PackageOutputFolder { dir: out.dir.clone() }, name })
}

/// A package with all paths and facts, and no content.
fn skeleton(
    source: &ComponentSource,
    package: &PackageToWrite,
    settings: &RpmWriteSettings<'_>,
) -> Result<PackageMetadata, rpm::Error> {
    let version = &source.component.version;
    let license = source.license.as_deref().unwrap_or("LicenseRef-Unspecified");
    let mut builder = PackageBuilder::new(
        &package.name,
        version.version_without_release(),
        license,
        package.arch.rpm_arch_name(),
        &package.summary,
    );
    builder
        .using_config(
            BuildConfig::v4()
                .compression(CompressionWithLevel::Zstd(settings.level))
                .source_date(settings.source_date),
        )
        .release(version.release_part().unwrap_or("1"))
        .description(wrap_description(&package.description))
        // The build host is left out, because it would make packages differ between machines.
        .build_host("localhost")
        .packager("Geppetto")
        .vendor("Geppetto")
        .group("Applications/System");
    if let Some(url) = &source.url {
        builder.url(url);
    }
    builder.add_changelog_entry(
        format!("Geppetto <geppetto@localhost> - {version}"),
        format!("- Version {version}."),
        settings.source_date,
    );
    for provided in &package.provides {
        builder.provides(provided.clone());
    }
    for required in &package.requires {
        builder.requires(required.clone());
    }
    if package.items.iter().map(CollectedPath::size_in_bytes).sum::<u64>()
        > cpio_archive::MAX_32_BIT_CPIO_CONTENT_BYTES
    {
        builder.requires(Dependency::rpmlib("LargeFiles", "4.12.0-1"));
    }
    for item in &package.items {
        add(&mut builder, item, settings.source_date)?;
    }
    Ok(builder.build()?.metadata)
}

fn add(builder: &mut PackageBuilder, item: &CollectedPath, time: u32) -> Result<(), rpm::Error> {
    let path = item.path.as_str();
    let options = match &item.content {
        CollectedContent::File(..) | CollectedContent::Bytes(_) => {
            FileOptions::new(path).permissions(item.mode)
        }
        CollectedContent::Directory => FileOptions::dir(path).permissions(item.mode),
        CollectedContent::Symlink(target) => FileOptions::symlink(path, target),
    };
    let mut options = options.user(&item.owner).group(&item.group).modified_at(Timestamp(time));
    if item.config {
        options = options.config().noreplace();
    }
    if path.starts_with("/usr/share/doc/") || path.starts_with("/usr/share/man/") {
        options = options.doc();
    }
    if path.starts_with("/usr/share/licenses/") {
        options = options.license();
    }
    match &item.content {
        CollectedContent::File(..) | CollectedContent::Bytes(_) => {
            builder.with_file_contents(Vec::new(), options)?
        }
        CollectedContent::Directory => builder.with_dir_entry(options)?,
        CollectedContent::Symlink(_) => builder.with_symlink(options)?,
    };
    Ok(())
}

/// The skeleton's metadata with what streaming found, digests and signature.
fn metadata(
    skeleton: PackageMetadata,
    package: &PackageToWrite,
    written: &WrittenCpioArchiveDigests,
    settings: &RpmWriteSettings<'_>,
) -> Result<PackageMetadata, rpm::Error> {
    let sizes: Vec<u64> = package.items.iter().map(CollectedPath::size_in_bytes).collect();
    let total: u64 = sizes.iter().sum();
    let short = |number: &u64| u32::try_from(*number).ok();
    let mut entries = Vec::new();
    for (tag, data) in skeleton.header.get_all_entries()? {
        let tag_is = |known: IndexTag| tag == known as u32;
        let (tag, data) = if tag_is(IndexTag::RPMTAG_HEADERIMMUTABLE) {
            // Made anew for the new entries.
            continue;
        } else if tag_is(IndexTag::RPMTAG_SIZE) {
            match short(&total) {
                Some(total) => (tag, IndexData::Int32(vec![total])),
                None => (IndexTag::RPMTAG_LONGSIZE as u32, IndexData::Int64(vec![total])),
            }
        } else if tag_is(IndexTag::RPMTAG_FILESIZES) {
            match sizes.iter().map(short).collect::<Option<Vec<u32>>>() {
                Some(sizes) if total <= cpio_archive::MAX_32_BIT_CPIO_CONTENT_BYTES => {
                    (tag, IndexData::Int32(sizes))
                }
                _ => (IndexTag::RPMTAG_LONGFILESIZES as u32, IndexData::Int64(sizes.clone())),
            }
        } else if tag_is(IndexTag::RPMTAG_FILEDIGESTS) {
            (tag, IndexData::StringArray(written.digests.clone()))
        } else if tag_is(IndexTag::RPMTAG_PAYLOADSHA256) {
            (tag, IndexData::StringArray(vec![written.payload_sha256.clone()]))
        } else if tag_is(IndexTag::RPMTAG_PAYLOADSHA256ALT) {
            (tag, IndexData::StringArray(vec![written.archive_sha256.clone()]))
        } else if tag_is(IndexTag::RPMTAG_BUILDTIME) {
            // The library takes the present instead of a date that is still to come.
            (tag, IndexData::Int32(vec![settings.source_date]))
        } else {
            (tag, data)
        };
        entries.push(HeaderEntry::new(tag, data));
    }
    let header = Header::from_entries(entries, IndexTag::RPMTAG_HEADERIMMUTABLE);
    let mut metadata = PackageMetadata { lead: skeleton.lead, signature: skeleton.signature, header };
    let bytes = metadata.header_bytes()?;
    let mut signature = SignatureHeaderBuilder::new()
        .format(RpmFormat::V4)
        .set_content_length(bytes.len() as u64 + written.payload_size)
        .calculate_digests(&bytes);
    if let Some(key) = settings.key {
        let time = Timestamp(settings.source_date);
        signature =
            signature.add_openpgp_signature(key.new_rpm_header_signer().sign(bytes.as_slice(), time)?);
    }
    metadata.signature = signature.build()?;
    Ok(metadata)
}
/// The longest line of a description that rpmlint accepts, in characters.
const DESCRIPTION_LINE_LENGTH: usize = 79;

/// Breaks lines that are too long between words. A line's indentation is kept, and so is every line break.
fn wrap_description(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.lines() {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let mut length = 0;
        for word in line.split_whitespace() {
            let word_length = word.chars().count();
            if length > 0 && length + 1 + word_length > DESCRIPTION_LINE_LENGTH {
                wrapped.push('\n');
                length = 0;
            }
            let before = if length == 0 { indentation } else { " " };
            wrapped.push_str(before);
            wrapped.push_str(word);
            length += before.chars().count() + word_length;
        }
        wrapped.push('\n');
    }
    wrapped.truncate(wrapped.trim_end().len());
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_of_temporary_packages_has_a_random_part_and_stays_the_same() {
        let prefix = temporary_package_prefix();
        let random = prefix.strip_prefix(&format!(".geppetto-{}-", std::process::id()));
        let digits = random.and_then(|random| random.strip_suffix('-')).unwrap();
        assert!(digits.len() == 16 && u64::from_str_radix(digits, 16).is_ok(), "{prefix}");
        assert_eq!(prefix, temporary_package_prefix());
    }

    #[test]
    fn long_description_lines_are_broken_between_words_and_short_ones_kept() {
        let long = "word ".repeat(30);
        let text = format!("Short.\n\n  * {long}\n{}\nlast\n", "x".repeat(100));
        let wrapped = wrap_description(&text);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert_eq!(lines[..2], ["Short.", ""]);
        assert!(lines[2..4].iter().all(|line| line.starts_with("  ") && line.len() <= 79), "{wrapped}");
        assert_eq!(lines[lines.len() - 2..], ["x".repeat(100).as_str(), "last"]);
        assert_eq!(wrapped.matches("word").count(), 30);
    }
}
