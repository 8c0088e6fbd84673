//! The deployment packages of the host's components, kept by their digests: what a component's deployment says is
//! read from there, and never from the installed copy, which anybody with a root shell may have edited.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use model::{name::Name, version::Version};
use serde::{Deserialize, Serialize};

use super::{PunchStateFolder, PunchStateFolderError, path};

const DEPLOYMENTS: &str = "deployments.json";

/// A deployment package that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredDeploymentPackage {
    /// The component's version, release included.
    pub(crate) version: Version,
    /// The SHA-256 of the package file.
    pub(crate) sha256: String,
}

impl PunchStateFolder {
    /// The deployment packages kept by the last run that needed others, by component.
    pub(crate) fn load_stored_deployments(
        &self,
    ) -> Result<BTreeMap<Name, StoredDeploymentPackage>, PunchStateFolderError> {
        let Some(text) = self.read(DEPLOYMENTS)? else { return Ok(BTreeMap::new()) };
        serde_json::from_str(&text).map_err(|error| PunchStateFolderError::Content {
            path: self.root.display_path(&path(DEPLOYMENTS)),
            because: error.to_string(),
        })
    }

    /// Keeps deployment packages that were fetched. Call it only while holding the lock.
    pub(crate) fn store_deployments(
        &self,
        fetched: &BTreeMap<Name, (Version, PathBuf)>,
    ) -> Result<(), PunchStateFolderError> {
        if fetched.is_empty() {
            return Ok(());
        }
        let mut stored = self.load_stored_deployments()?;
        for (name, (version, file)) in fetched {
            let sha256 = self.store_content(&mut open(file)?)?;
            stored.insert(name.clone(), StoredDeploymentPackage { version: version.clone(), sha256 });
        }
        self.write_json(DEPLOYMENTS, &stored)
    }

    /// Forgets the deployment packages of all components but `wanted`, and removes what nothing refers to any more.
    pub(crate) fn forget_stored_deployments_except<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a Name>,
    ) -> Result<(), PunchStateFolderError> {
        let stored = self.load_stored_deployments()?;
        let wanted: Vec<&Name> = wanted.into_iter().collect();
        let mut kept = stored.clone();
        kept.retain(|name, _| wanted.contains(&name));
        if kept != stored {
            self.write_json(DEPLOYMENTS, &kept)?;
        }
        self.remove_unreferenced_content()
    }
}

fn open(file: &Path) -> Result<File, PunchStateFolderError> {
    let wrong = |source| PunchStateFolderError::File { what: "read", path: file.to_owned(), source };
    File::open(file).map_err(wrong)
}
