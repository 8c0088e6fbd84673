//! Reads the header of an RPM file: which component and package it is.

use std::{io::Read, path::Path};

use model::{
    component::Component,
    deployment::{DeploymentDescription, MAX_DEPLOYMENT_FILE_BYTES, MAX_DEPLOYMENT_TOTAL_BYTES},
    deployment_manifest::{self, DeploymentFilesByPath},
    fault::{Fault, Severity},
    name::Name,
    version::Version,
};
use rpm::{FileType, PackageMetadata, PackageReader};

use crate::{
    lint,
    rpm_file::{RpmFile, RpmReadOrVerifyError, new_malformed_rpm_error},
};

/// What a payload package provides, besides its name: `geppetto-component(shop) = 1.2.0-1`.
pub const PAYLOAD_RPM_PROVIDES_NAME: &str = "geppetto-component";
/// What a deployment package provides: `geppetto-deployment(shop) = 1.2.0-1`.
pub const DEPLOYMENT_RPM_PROVIDES_NAME: &str = "geppetto-deployment";

/// A component's description is a few kilobytes; this bounds what a hostile one costs.
const MAX_DESCRIPTION: u64 = 1 << 20;
/// How far into the content the description may be.
const MAX_UNPACKED: u64 = 256 << 20;

/// An RPM file, looked into.
#[derive(Debug, Clone, PartialEq)]
pub struct InspectedPackage {
    /// Package name.
    pub name: String,
    /// Epoch; nearly always 0.
    pub epoch: u32,
    /// Version, without release.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// What it is to us.
    pub what: ComponentPackageKind,
    /// SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
}

/// Which of the two packages of a component a package is, if it is one.
#[derive(Debug, Clone, PartialEq)]
pub enum ComponentPackageKind {
    /// The payload package of this component.
    Payload(Name),
    /// The deployment package of this component.
    Deployment(Box<Component>),
    /// Some other RPM.
    Other,
}

impl InspectedPackage {
    /// The file name such a package must have: `NAME-VERSION-RELEASE.ARCH.rpm`.
    pub fn expected_file_name(&self) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, self.version, self.release, self.arch)
    }
}

/// The header of an RPM file: enough to choose between the packages of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageNameVersionArch {
    /// Package name.
    pub name: String,
    /// Version and release.
    pub version: Version,
    /// Architecture.
    pub arch: String,
}

/// Reads the header of `rpm` and nothing after it.
pub fn read_package_name_version_arch(rpm: &Path) -> Result<PackageNameVersionArch, RpmReadOrVerifyError> {
    let rpm_file = RpmFile::open_and_read_headers(rpm)?;
    let wrong = |why: String| new_malformed_rpm_error(&rpm_file.shown, &why);
    let metadata = &rpm_file.metadata;
    let text =
        |value: Result<&str, rpm::Error>| value.map(str::to_owned).map_err(|why| wrong(why.to_string()));
    let (version, release) = (text(metadata.get_version())?, text(metadata.get_release())?);
    Ok(PackageNameVersionArch {
        name: text(metadata.get_name())?,
        version: Version::new(&version, Some(&release)).map_err(|why| wrong(why.to_string()))?,
        arch: text(metadata.get_arch())?,
    })
}

/// Looks into the RPM file `rpm`: its content is checked against its header, its signature is not
/// (see [`crate::openpgp::TrustedPublicKeys::verify_rpm_file`]).
pub fn inspect_package_and_verify_digests(rpm: &Path) -> Result<InspectedPackage, RpmReadOrVerifyError> {
    inspect_opened_and_verify_digests(&mut RpmFile::open_and_read_headers(rpm)?)
}

pub(crate) fn inspect_opened_and_verify_digests(
    rpm_file: &mut RpmFile,
) -> Result<InspectedPackage, RpmReadOrVerifyError> {
    let (sha256, size) = rpm_file.verify_payload_and_hash_whole_file()?;
    let wrong = |why: String| new_malformed_rpm_error(&rpm_file.shown, &why);
    let metadata = &rpm_file.metadata;
    if metadata.is_source_package() {
        return Err(wrong("it is a source package; publish the packages built from it".to_owned()));
    }
    let text = |value: Result<&str, rpm::Error>, what: &str| match value {
        Ok(value) if plain(value) => Ok(value.to_owned()),
        Ok(_) => Err(wrong(format!("its {what} has characters that a file name must not have"))),
        Err(why) => Err(wrong(format!("it has no {what}: {why}"))),
    };
    let mut inspected = InspectedPackage {
        name: text(metadata.get_name(), "name")?,
        epoch: metadata.get_epoch().unwrap_or(0),
        version: text(metadata.get_version(), "version")?,
        release: text(metadata.get_release(), "release")?,
        arch: text(metadata.get_arch(), "architecture")?,
        what: ComponentPackageKind::Other,
        sha256,
        size,
    };
    if let Some(name) = provided(metadata, PAYLOAD_RPM_PROVIDES_NAME).map_err(wrong)? {
        if inspected.name != name.as_str() {
            return Err(wrong(format!(
                "it provides `{PAYLOAD_RPM_PROVIDES_NAME}({name})` but is named `{}`",
                inspected.name
            )));
        }
        if let Some(why) = model::component::reserved_component_name_problem(&name) {
            return Err(wrong(why));
        }
        Version::new(&inspected.version, Some(&inspected.release)).map_err(|why| wrong(why.to_string()))?;
        inspected.what = ComponentPackageKind::Payload(name);
    } else if let Some(name) = provided(metadata, DEPLOYMENT_RPM_PROVIDES_NAME).map_err(wrong)? {
        if let Some(why) = model::component::reserved_component_name_problem(&name) {
            return Err(wrong(why));
        }
        let component = description(rpm_file, &name)?;
        let version = format!("{}-{}", inspected.version, inspected.release);
        if component.name != name
            || component.version.to_string() != version
            || inspected.name != component.deployment_package_name()
        {
            return Err(new_malformed_rpm_error(
                &rpm_file.shown,
                &format!(
                    "the package is `{}` {version}, but the component.json inside describes `{}` {}",
                    inspected.name, component.name, component.version
                ),
            ));
        }
        inspected.what = ComponentPackageKind::Deployment(Box::new(component));
    }
    Ok(inspected)
}

/// Whether `text` can be a part of a file name, a URL path and a line of text without quoting.
fn plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-".contains(c))
}

/// The component whose `kind` package this provides.
fn provided(metadata: &PackageMetadata, kind: &str) -> Result<Option<Name>, String> {
    let provides = metadata.get_provides().map_err(|why| format!("its provides cannot be read: {why}"))?;
    let mut names = provides.iter().filter_map(|provide| {
        provide.name.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')').map(str::to_owned)
    });
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => {
            Name::new(&name).map(Some).map_err(|why| format!("it provides `{kind}`: {why}"))
        }
        (Some(one), Some(other)) => Err(format!("it provides `{kind}` for both `{one}` and `{other}`")),
    }
}

/// Reads `component.json` out of a deployment package.
fn description(rpm_file: &RpmFile, name: &Name) -> Result<Component, RpmReadOrVerifyError> {
    let wrong = |why: String| new_malformed_rpm_error(&rpm_file.shown, &why);
    let unreadable = |why: rpm::Error| wrong(format!("its content cannot be unpacked: {why}"));
    let wanted = format!("/{}/{name}/component.json", model::component::INSTALLED_COMPONENTS_FOLDER);
    let mut reader = PackageReader::open(&rpm_file.path).map_err(unreadable)?;
    let mut unpacked = 0;
    while let Some(mut file) = reader.next_file().map_err(unreadable)? {
        let size = file.metadata.size() as u64;
        unpacked += size;
        if unpacked > MAX_UNPACKED {
            break;
        }
        if file.metadata.path().as_os_str() != wanted.as_str() {
            continue;
        }
        if size > MAX_DESCRIPTION {
            return Err(wrong(format!("its component.json has {size} bytes; at most 1 MiB is read")));
        }
        let mut text = Vec::new();
        (&mut file)
            .take(MAX_DESCRIPTION)
            .read_to_end(&mut text)
            .map_err(|why| wrong(format!("its component.json cannot be unpacked: {why}")))?;
        return serde_json::from_slice(&text)
            .map_err(|why| wrong(format!("its component.json cannot be understood: {why}")));
    }
    Err(wrong(format!("it provides `{DEPLOYMENT_RPM_PROVIDES_NAME}({name})` but holds no {wanted}")))
}

/// What lint calls an error in the deployment package of `name`: a server that gets it could not be deployed.
pub(crate) fn find_deployment_errors(
    rpm_file: &RpmFile,
    name: &Name,
) -> Result<Vec<Fault>, RpmReadOrVerifyError> {
    let files = deployment_files(rpm_file, name)?;
    let read =
        DeploymentDescription::parse_deployment_files(name, &rpm_file.shown.display().to_string(), files);
    Ok(match read {
        Ok(DeploymentDescription { component, manifest, templates }) => {
            let mut faults = lint::find_description_errors(&component);
            faults.extend(deployment_manifest::lint_manifest(&manifest, &templates, &component));
            faults.into_iter().filter(|fault| fault.severity == Severity::Error).collect()
        }
        Err(error) => vec![Fault::new_error(error.to_string())],
    })
}

/// What lint calls an error in the paths and modes of a payload package.
pub(crate) fn find_payload_errors(rpm_file: &RpmFile) -> Result<Vec<Fault>, RpmReadOrVerifyError> {
    let entries = rpm_file.metadata.get_file_entries().map_err(|why| {
        new_malformed_rpm_error(&rpm_file.shown, &format!("its list of files cannot be read: {why}"))
    })?;
    let errors = entries.iter().flat_map(|entry| {
        let kind = entry.mode().file_type();
        // The mode of a symbolic link means nothing.
        let mode = (kind != FileType::SymbolicLink).then_some(entry.mode().permissions());
        lint::find_payload_path_errors(&entry.path().to_string_lossy(), mode, kind == FileType::Dir)
    });
    Ok(errors.map(Fault::new_error).collect())
}

/// The files of a component in its deployment package, by path in the component's folder.
fn deployment_files(rpm_file: &RpmFile, name: &Name) -> Result<DeploymentFilesByPath, RpmReadOrVerifyError> {
    let wrong = |why: String| new_malformed_rpm_error(&rpm_file.shown, &why);
    let unreadable = |why: &dyn std::fmt::Display| wrong(format!("its content cannot be unpacked: {why}"));
    let folder = format!("/{}/{name}/", model::component::INSTALLED_COMPONENTS_FOLDER);
    let mut reader = PackageReader::open(&rpm_file.path).map_err(|why| unreadable(&why))?;
    let mut files = DeploymentFilesByPath::new();
    let mut total = 0;
    while let Some(mut file) = reader.next_file().map_err(|why| unreadable(&why))? {
        let path = file.metadata.path().to_string_lossy().into_owned();
        let Some(path) = path.strip_prefix(&folder).map(str::to_owned) else { continue };
        if file.metadata.mode().file_type() != FileType::Regular {
            continue;
        }
        let mut bytes = Vec::new();
        let read = (&mut file).take(MAX_DEPLOYMENT_FILE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|why| unreadable(&why))?;
        total += bytes.len() as u64;
        if bytes.len() as u64 > MAX_DEPLOYMENT_FILE_BYTES || total > MAX_DEPLOYMENT_TOTAL_BYTES {
            return Err(wrong(format!(
                "it has more in {path} than a deployment may have ({MAX_DEPLOYMENT_FILE_BYTES} bytes a file, \
                 {MAX_DEPLOYMENT_TOTAL_BYTES} in all)"
            )));
        }
        files.insert(path, bytes);
    }
    Ok(files)
}
