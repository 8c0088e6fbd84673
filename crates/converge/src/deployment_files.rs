//! The files of a deployment, read from its package. What they mean is decided in `model::deployment`.

use std::{
    fs::File,
    io::{BufReader, Read},
};

use model::{
    component::INSTALLED_COMPONENTS_FOLDER,
    deployment::{MAX_DEPLOYMENT_FILE_BYTES, MAX_DEPLOYMENT_TOTAL_BYTES},
    deployment_manifest::DeploymentFilesByPath,
    name::Name,
};

/// The files of component `name` in the package file `rpm`, and where they are, for errors. `place` is where the
/// package file is.
pub(crate) fn read_deployment_files_from_rpm(
    name: &Name,
    place: &str,
    rpm: File,
) -> Result<(String, DeploymentFilesByPath), String> {
    let broken = |error: rpm::Error| format!("{place} is not a readable package: {error}");
    let folder = format!("/{INSTALLED_COMPONENTS_FOLDER}/{name}/");
    let mut reader = rpm::PackageReader::parse(BufReader::new(rpm)).map_err(broken)?;
    let mut files = DeploymentFilesByPath::new();
    let mut total = 0;
    while let Some(mut file) = reader.next_file().map_err(broken)? {
        let path = file.metadata.path().to_string_lossy().into_owned();
        let Some(path) = path.strip_prefix(&folder).map(str::to_owned) else { continue };
        if file.metadata.mode().file_type() != rpm::FileType::Regular {
            continue;
        }
        let mut bytes = Vec::new();
        let read = (&mut file).take(MAX_DEPLOYMENT_FILE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("{place} is not a readable package: {error}"))?;
        total += bytes.len() as u64;
        if bytes.len() as u64 > MAX_DEPLOYMENT_FILE_BYTES || total > MAX_DEPLOYMENT_TOTAL_BYTES {
            return Err(format!(
                "{place} has more in {path} than a deployment may have ({MAX_DEPLOYMENT_FILE_BYTES} bytes a file, {MAX_DEPLOYMENT_TOTAL_BYTES} in all)"
            ));
        }
        files.insert(path, bytes);
    }
    Ok((format!("{place}:{folder}"), files))
}
