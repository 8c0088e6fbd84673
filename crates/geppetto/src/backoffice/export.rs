//! The whole estate of a revision, as far as a principal may see it.

use model::{
    estate::{Estate, PlaceId},
    format::estate,
    wire,
};

use super::{BackOffice, BackOfficeError};
use crate::auth::{Principal, UnscopedPermit, Viewer};

impl BackOffice {
    /// The documents of a revision; of the newest if none is named. Places of environments that the principal may
    /// not see are left out, and secrets masked where it is no operator: `complete` says that neither can have happened.
    pub(crate) async fn export_estate(
        &self,
        permit: &UnscopedPermit<Viewer>,
        revision: Option<u64>,
    ) -> Result<wire::EstateExport, BackOfficeError> {
        let state = match revision {
            Some(revision) => std::sync::Arc::new(self.read_estate_of_revision(revision).await?),
            None => self.cached_or_read_current_estate().await?,
        };
        let principal = permit.principal();
        let mut documents = state.documents.clone();
        documents.retain(|path, _| can_see_place_in_both(principal, &state.estate, &state.estate, path));
        let shown = self.mask_documents_for_principal(principal, &state.estate, documents).await?;
        Ok(wire::EstateExport {
            revision: state.revision,
            complete: principal.can_see_secrets(None) && shown == state.documents,
            documents: shown,
        })
    }
}

/// Whether the principal may see a place that is in one of two estates.
pub(super) fn can_see_place_in_both(principal: &Principal, old: &Estate, new: &Estate, path: &str) -> bool {
    match estate::place_of_document_path(path) {
        Ok(PlaceId::Environment(name)) => principal.can_see_part_of_environment(&name),
        Ok(PlaceId::Server(name)) => [old, new]
            .into_iter()
            .filter_map(|estate| estate.servers.get(&name))
            .all(|server| principal.can_see_part_of_environment(&server.environment)),
        _ => true,
    }
}
