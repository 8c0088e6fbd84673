//! `deploy/`: the manifest and its templates, and what lies in their place when a component has none.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use model::{format::FormatError, suggest_spelling};

use super::absent_manifest::AbsentManifest;

/// The largest template read, in bytes.
const MAX_TEMPLATE: u64 = 16 * 1024 * 1024;
/// At most so many files that nothing reads are named.
const MAX_LISTED: usize = 20;

/// What the deployment package holds besides the component's description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployFolder {
    /// The text of `deploy/manifest.yaml`, or the one that follows from `component.yaml`.
    pub manifest: Option<String>,
    /// `deploy/templates/**`, by path below `templates/`.
    pub templates: BTreeMap<String, Vec<u8>>,
    /// What is missing, when the developer wrote no manifest.
    pub absent: Option<AbsentManifest>,
}

impl DeployFolder {
    pub(super) fn load_deploy_folder(root: &Path, errors: &mut Vec<FormatError>) -> DeployFolder {
        let mut deploy = DeployFolder::default();
        let manifest = root.join(super::MANIFEST_FILE);
        if manifest.symlink_metadata().is_ok() {
            match check_within_folder(root, &manifest).and_then(|()| super::read_text(&manifest)) {
                Ok(text) => deploy.manifest = Some(text),
                Err(message) => errors.push(FormatError::new(super::MANIFEST_FILE, message)),
            }
        } else {
            let folder = root.join("deploy");
            let mut unread = list_similar_folders(root);
            list_other_files(&folder, "deploy", &mut unread);
            deploy.absent = Some(AbsentManifest { has_folder: folder.is_dir(), made: Vec::new(), unread });
        }
        let templates = root.join("deploy/templates");
        if templates.symlink_metadata().is_ok() {
            deploy.collect(root, &templates, "", errors);
        }
        deploy
    }

    fn collect(&mut self, root: &Path, dir: &Path, prefix: &str, errors: &mut Vec<FormatError>) {
        let shown = format!("deploy/templates/{prefix}");
        let refuse = |message: String| FormatError::new(shown.trim_end_matches('/'), message);
        if let Err(message) = check_within_folder(root, dir) {
            return errors.push(refuse(message));
        }
        let mut entries: Vec<_> = match fs::read_dir(dir) {
            Ok(entries) => entries.filter_map(Result::ok).collect(),
            Err(error) => return errors.push(refuse(format!("it cannot be read: {error}"))),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                errors.push(refuse("it holds a file whose name is not UTF-8".to_owned()));
                continue;
            };
            let key = format!("{prefix}{name}");
            let file = format!("deploy/templates/{key}");
            if let Err(message) = check_within_folder(root, &path) {
                errors.push(FormatError::new(&file, message));
            } else if path.is_dir() {
                if prefix.matches('/').count() > 16 {
                    errors.push(FormatError::new(&file, "folders are nested too deep"));
                } else {
                    self.collect(root, &path, &format!("{key}/"), errors);
                }
            } else {
                match read_bytes(&path) {
                    Ok(bytes) => drop(self.templates.insert(key, bytes)),
                    Err(message) => errors.push(FormatError::new(&file, message)),
                }
            }
        }
    }
}

/// Names every file below `dir` that is no template: `deploy/manifest.yml`.
fn list_other_files(dir: &Path, prefix: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.filter_map(Result::ok) {
        let shown = format!("{prefix}/{}", entry.file_name().display());
        match entry.file_type() {
            _ if shown == "deploy/templates" || found.len() >= MAX_LISTED => {}
            Ok(kind) if kind.is_dir() => list_other_files(&entry.path(), &shown, found),
            _ => found.push(shown),
        }
    }
}

/// Folders of the component that may have been meant to be `deploy/`.
fn list_similar_folders(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let is_similar = |name: &String| {
        let lower = name.to_lowercase();
        name != "deploy" && (lower.starts_with("deploy") || suggest_spelling(&lower, ["deploy"]).is_some())
    };
    names.filter(is_similar).map(|name| format!("{name}/")).collect()
}

/// Checks that `path` is, after following symbolic links, still inside `root`.
fn check_within_folder(root: &Path, path: &Path) -> Result<(), String> {
    match path.canonicalize() {
        Ok(real) if real.starts_with(root) => Ok(()),
        Ok(real) => Err(format!(
            "it is a symbolic link to `{}`, outside the component's folder; copy the file into the folder",
            real.display()
        )),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("it is neither a file nor a folder".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(cannot)?.take(MAX_TEMPLATE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_TEMPLATE {
        return Err(format!(
            "it has more than {MAX_TEMPLATE} bytes; put it in the payload (`files:`) instead"
        ));
    }
    Ok(bytes)
}
