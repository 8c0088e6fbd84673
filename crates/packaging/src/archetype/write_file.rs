//! One file of a component, written whole or not at all.

use std::{fs, io, io::Write, os::unix::fs::PermissionsExt, path::Path};

/// Writes one file aside and renames it, so that no reader and no crash ever sees half of it.
///
/// `mode` keeps the permissions a file had; a new one is executable when it starts with `#!`.
pub(super) fn write_component_file_atomically(
    dir: &Path,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
) -> io::Result<()> {
    let to = dir.join(path);
    let parent = to.parent().unwrap_or(dir);
    fs::create_dir_all(parent)?;
    let mut file = tempfile::Builder::new().prefix(".geppetto-").tempfile_in(parent)?;
    file.write_all(bytes)?;
    let mode = mode.unwrap_or(if bytes.starts_with(b"#!") { 0o755 } else { 0o644 });
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.persist(&to).map_err(|error| error.error)?;
    Ok(())
}
