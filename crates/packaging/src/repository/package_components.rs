//! Which components a publication is about, asked before it is made.

use std::collections::BTreeSet;

use model::name::Name;

use super::{Repository, Result, package_record::RecordedPackageRole};

impl Repository {
    /// The components that received packages belong to. Packages of no component are left out.
    pub fn component_names_of_packages(&self, files: &[String]) -> Result<BTreeSet<Name>> {
        let mut components = BTreeSet::new();
        for file in files {
            match &self.read_package_record(file)?.what {
                RecordedPackageRole::Payload(name) => _ = components.insert(name.clone()),
                RecordedPackageRole::Deployment(component) => _ = components.insert(component.name.clone()),
                RecordedPackageRole::Other => {}
            }
        }
        Ok(components)
    }
}
