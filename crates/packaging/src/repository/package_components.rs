//! Which components a publication is about, asked before it is made.

use std::collections::BTreeSet;

use model::name::Name;

use super::{Repository, Result, package_record::RecordedComponentPackageKind};

impl Repository {
    /// The components that received packages belong to. Packages of no component are left out.
    pub fn component_names_of_packages(&self, files: &[String]) -> Result<BTreeSet<Name>> {
        let mut components = BTreeSet::new();
        for file in files {
            match &self.read_package_record(file)?.what {
                RecordedComponentPackageKind::Payload(name) => _ = components.insert(name.clone()),
                RecordedComponentPackageKind::Deployment(component) => {
                    _ = components.insert(component.name.clone())
                }
                RecordedComponentPackageKind::Other => {}
            }
        }
        Ok(components)
    }
}
