//! What is known of a package in the pool, and its pieces of the channels' metadata.

use model::{
    catalog::PackageFile,
    component::{Component, deployment_package_name},
    name::Name,
    version::Version,
};
use rpmrepo_metadata::{
    Checksum, FilelistsXml, MetadataError, OtherXml, Package, PackageOptions, PackageSource, PrimaryXml,
    utils::create_xml_writer,
};
use serde::{Deserialize, Serialize};

use crate::inspect::{ComponentPackageKind, InspectedPackage};

/// A package in the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PackageRecord {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) epoch: u32,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) arch: String,
    pub(super) sha256: String,
    pub(super) size: u64,
    /// When it was received first, in seconds since 1970: the file's time, for readers of the metadata.
    pub(super) received: u64,
    pub(super) what: RecordedComponentPackageKind,
}

/// [`ComponentPackageKind`], as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordedComponentPackageKind {
    Payload(Name),
    Deployment(Box<Component>),
    Other,
}

impl PackageRecord {
    pub(super) fn new(inspected: InspectedPackage, received: u64) -> Self {
        Self {
            file: inspected.expected_file_name(),
            name: inspected.name,
            epoch: inspected.epoch,
            version: inspected.version,
            release: inspected.release,
            arch: inspected.arch,
            sha256: inspected.sha256,
            size: inspected.size,
            received,
            what: match inspected.what {
                ComponentPackageKind::Payload(name) => RecordedComponentPackageKind::Payload(name),
                ComponentPackageKind::Deployment(component) => {
                    RecordedComponentPackageKind::Deployment(component)
                }
                ComponentPackageKind::Other => RecordedComponentPackageKind::Other,
            },
        }
    }

    /// `1.2.0-1`
    pub(super) fn version_and_release_text(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }

    /// The component version this is a half of, if it is one.
    pub(super) fn component_and_version(&self) -> Option<(&Name, Version)> {
        let name = match &self.what {
            RecordedComponentPackageKind::Payload(name) => name,
            RecordedComponentPackageKind::Deployment(component) => &component.name,
            RecordedComponentPackageKind::Other => return None,
        };
        Some((name, Version::new(&self.version, Some(&self.release)).ok()?))
    }

    /// The name of the package this one cannot be deployed without.
    pub(super) fn counterpart_package_name(&self) -> Option<String> {
        match &self.what {
            RecordedComponentPackageKind::Payload(name) => Some(deployment_package_name(name)),
            RecordedComponentPackageKind::Deployment(component) => {
                Some(component.payload_package_name().to_owned())
            }
            RecordedComponentPackageKind::Other => None,
        }
    }

    pub(super) fn to_package_file(&self) -> PackageFile {
        PackageFile {
            name: self.name.clone(),
            file: self.file.clone(),
            sha256: self.sha256.clone(),
            size: self.size,
        }
    }
}

/// A package's pieces of the three metadata files, as XML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackageMetadataXmlFragments {
    pub(super) primary: String,
    pub(super) filelists: String,
    pub(super) other: String,
}

impl PackageMetadataXmlFragments {
    /// Writes them for a package.
    pub(super) fn render_xml_fragments(
        metadata: &rpm::PackageMetadata,
        record: &PackageRecord,
    ) -> std::result::Result<Self, MetadataError> {
        let source = PackageSource {
            checksum: Some(Checksum::Sha256(record.sha256.clone())),
            size_package: Some(record.size),
            time_file: record.received,
            location_href: format!("packages/{}", record.file),
            location_base: None,
        };
        let package = Package::from_package_metadata(metadata, source, PackageOptions::default())?;
        let mut primary = PrimaryXml::new_writer(create_xml_writer(Vec::new()));
        primary.write_package(&package)?;
        let mut filelists = FilelistsXml::new_writer(create_xml_writer(Vec::new()));
        filelists.write_package(&package)?;
        let mut other = OtherXml::new_writer(create_xml_writer(Vec::new()));
        other.write_package(&package)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned() + "\n";
        Ok(Self {
            primary: text(primary.into_inner()),
            filelists: text(filelists.into_inner()),
            other: text(other.into_inner()),
        })
    }
}

/// The parts of a package file's name: `NAME-VERSION-RELEASE.ARCH.rpm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParsedRpmFileName<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) release: &'a str,
}

impl<'a> ParsedRpmFileName<'a> {
    pub(super) fn parse_rpm_file_name(file: &'a str) -> Option<Self> {
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-".contains(c))
        };
        let stem = file.strip_suffix(".rpm").filter(|stem| plain(stem) && !stem.starts_with(['.', '-']))?;
        let (rest, _arch) = stem.rsplit_once('.')?;
        let (rest, release) = rest.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        (!name.is_empty()).then_some(Self { name, version, release })
    }
}
