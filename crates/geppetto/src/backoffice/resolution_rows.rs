//! Resolutions as they are stored: what each read, what it came to, and what the catalog offered for it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use model::{
    catalog::ComponentCatalog,
    name::{Name, ServerName},
    resolve::{ResolutionDigestAndReads, ResolutionReads},
};

use crate::store::NewResolutionRow;

/// Makes rows of resolutions. What many servers read alike of the catalog is digested once.
pub(super) struct NewResolutionRowFactory<'c> {
    catalog: &'c ComponentCatalog,
    /// By channel and the address of the list of components.
    offers: HashMap<(Name, *const BTreeSet<Name>), OffersDigest>,
}

/// What a channel offers of some components.
struct OffersDigest {
    digest: String,
    /// Held so that no other list can get its address.
    _components: Arc<BTreeSet<Name>>,
}

impl<'c> NewResolutionRowFactory<'c> {
    pub(super) fn new(catalog: &'c ComponentCatalog) -> Self {
        Self { catalog, offers: HashMap::new() }
    }

    /// The row of a server, whether it could be resolved or not.
    pub(super) fn build_resolution_row(
        &mut self,
        server: ServerName,
        resolved: Option<ResolutionDigestAndReads>,
    ) -> NewResolutionRow {
        match resolved {
            Some(ResolutionDigestAndReads { digest, reads, .. }) => NewResolutionRow {
                server,
                digest: digest.to_string(),
                offers: self.digest_of_offers_read(&reads),
                reads,
            },
            None => {
                let reads = ResolutionReads { failed: true, ..ResolutionReads::default() };
                NewResolutionRow { server, digest: String::new(), reads, offers: String::new() }
            }
        }
    }

    /// A digest of what a resolution read of the catalog.
    pub(super) fn digest_of_offers_read(&mut self, reads: &ResolutionReads) -> String {
        let catalog = self.catalog;
        // The values of selected servers depend on what their channels offer.
        if !reads.selections.is_empty() {
            let digests = catalog.channels.iter().map(|(channel, components)| {
                catalog.digest_channel_packages_of_components(channel, components.keys())
            });
            return digests.collect::<Vec<_>>().join(" ");
        }
        let Some(channel) = &reads.channel else { return String::new() };
        let key = (channel.clone(), Arc::as_ptr(&reads.components));
        let offers = self.offers.entry(key).or_insert_with(|| OffersDigest {
            digest: catalog.digest_channel_packages_of_components(channel, reads.components.iter()),
            _components: Arc::clone(&reads.components),
        });
        offers.digest.clone()
    }
}
