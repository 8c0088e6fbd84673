//! What one component version requires, chosen from several channels: what a promotion takes along.

use std::sync::Arc;

use super::{
    fault::EstateFaultKind,
    version_search::{ServerPlacesOrRootVersion, VersionSearch},
};
use crate::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages},
    estate::PlaceId,
    name::Name,
    version::VersionRange,
};

/// Why no versions satisfy all requirements.
#[derive(Debug, Clone, PartialEq)]
pub enum VersionChoiceFailure {
    /// No offered version of a component satisfies all that require it.
    NoVersion {
        /// The component.
        component: Name,
        /// The components that require it, and how.
        required_by: Vec<(Name, VersionRange)>,
    },
    /// The search gave up.
    TooManyChoices,
}

/// `root` and everything it requires, directly or not, each in one version that suits all that require it: the newest
/// of the first channel that has one that fits. It is the search that also chooses the versions of a server.
pub fn choose_versions_of_root_and_requirements<'a>(
    catalog: &'a ComponentCatalog,
    root: &'a Arc<ComponentVersionWithPackages>,
    channels: &[&'a Name],
) -> Result<Vec<&'a Arc<ComponentVersionWithPackages>>, VersionChoiceFailure> {
    let mut search = VersionSearch::new(catalog, ServerPlacesOrRootVersion::Channels { root, channels });
    search.add_component_requirement(&root.component.name, None);
    let chosen = search.search_versions().map_err(|fault| match fault.kind {
        EstateFaultKind::NoVersion { component, constraints, .. } => {
            let required_by = constraints.into_iter().filter_map(|(place, range)| match place {
                PlaceId::Default(requirer) => Some((requirer, range)),
                _ => None,
            });
            VersionChoiceFailure::NoVersion { component, required_by: required_by.collect() }
        }
        _ => VersionChoiceFailure::TooManyChoices,
    })?;
    Ok(chosen.choices.into_iter().map(|choice| choice.published).collect())
}
