//! What stands in for a manifest that a component does not have.

/// What stands in for a `deploy/manifest.yaml` that is not there, and what was found in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentManifest {
    /// Whether there is a folder `deploy`.
    pub has_folder: bool,
    /// What the manifest made of `component.yaml` has, in words: `the service shop`. Empty when none was made.
    pub made: Vec<String>,
    /// Files below `deploy/` that nothing reads, and folders that may have been meant to be `deploy/`.
    pub unread: Vec<String>,
}

impl AbsentManifest {
    /// One line that says what is missing and what is deployed instead.
    pub fn message(&self) -> String {
        let missing = if self.has_folder { "no deploy/manifest.yaml" } else { "no folder deploy/" };
        match self.made.as_slice() {
            [] => format!("there is {missing}, and component.yaml asks for nothing that needs a manifest"),
            made => format!(
                "there is {missing}; a manifest is made of component.yaml, with {}",
                made.join(" and ")
            ),
        }
    }
}
