//! Publications, promotions and withdrawals: what they do to servers is said before, and needs grants where it falls.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use model::{
    catalog::ComponentCatalog,
    effect::Effect,
    name::{Name, ServerName},
    resolve::find_catalog_change_effects,
    version::Version,
    wire::{
        ChannelChangeResult, FilesAddedToChannel, PromotionRequest, PublicationRequest, WithdrawalRequest,
    },
};

use super::{BackOffice, BackOfficeError, effects::group_and_mask_effects, packages::RepositoryAuditEntry};
use crate::auth::{Developer, EnvironmentAndComponentScope, UnscopedPermit};

impl BackOffice {
    /// Makes received packages visible in a channel, all or none.
    ///
    /// Servers of the environments that follow the channel may get them: each needs a grant for the components.
    pub(crate) async fn publish_or_preview_packages(
        &self,
        permit: &UnscopedPermit<Developer>,
        channel: &Name,
        publication: PublicationRequest,
    ) -> Result<ChannelChangeResult, BackOfficeError> {
        let PublicationRequest { files, preview } = publication;
        if files.is_empty() {
            return Err(BackOfficeError::Refused(
                "no files were named; there is nothing to publish".to_owned(),
            ));
        }
        let named = files.clone();
        let components = self
            .run_blocking_with_repository(move |repository| repository.component_names_of_packages(&named))
            .await?;
        self.publication_scopes(permit.clone(), channel).await?.check(&components)?;
        let (into, named) = (channel.clone(), files.clone());
        let after = self
            .run_blocking_with_repository(move |repository| {
                repository.catalog_after_publication(&into, &named)
            })
            .await?;
        let effects = self.effects_of_catalog(permit, after).await?;
        if preview {
            let added =
                FilesAddedToChannel { channel: channel.to_string(), added: files, present: Vec::new() };
            return self.channel_change(added, effects, true).await;
        }
        let entry =
            RepositoryAuditEntry::new(&permit.audit_actor(), "publish", channel.as_str(), &files.join(", "))
                .announce_channel_change_when_done(channel);
        let (channel, now) = (channel.clone(), self.now_unix_seconds());
        let published = self
            .change_repository_audited(
                entry,
                move |repository| repository.publish_received_packages_in_channel(&channel, &files, now),
                describe,
            )
            .await?;
        self.load_and_store_ever_secret_parameters().await?;
        self.channel_change(published, effects, false).await
    }

    /// Makes a version, and what it requires, visible in one more channel.
    pub(crate) async fn promote_or_preview_version(
        &self,
        permit: &UnscopedPermit<Developer>,
        promotion: &PromotionRequest,
    ) -> Result<ChannelChangeResult, BackOfficeError> {
        let name = read_name(&promotion.name)?;
        let from = read_name(&promotion.from)?;
        let to = match &promotion.to {
            Some(to) => read_name(to)?,
            None => {
                let from = from.clone();
                self.run_blocking_with_repository(move |repository| {
                    repository.next_channel_in_promotion_order(&from)
                })
                .await?
            }
        };
        let version = read_version(&promotion.version)?;
        // What is taken along needs the same grants; it is known under the repository's lock only.
        let required = self.publication_scopes(permit.clone(), &to).await?;
        required.check(&BTreeSet::from([name.clone()]))?;
        let (of, at, source, target) = (name.clone(), version.clone(), from.clone(), to.clone());
        let (after, taken_along) = self
            .run_blocking_with_repository(move |repository| {
                repository.catalog_after_promotion(&of, &at, &source, &target)
            })
            .await?;
        required.check(&taken_along.iter().map(|(name, _)| name.clone()).collect())?;
        let effects = self.effects_of_catalog(permit, after).await?;
        if promotion.preview {
            let catalog = self.read_catalog_of_all_channels().await?;
            let is_visible = catalog
                .component_versions_in_channel(&to, &name)
                .iter()
                .any(|visible| visible.satisfies_requested_version(&version));
            let (mut added, mut present) = (Vec::new(), Vec::new());
            if is_visible { &mut present } else { &mut added }.push(format!("{name}@{version}"));
            added.extend(taken_along.iter().map(|(name, version)| format!("{name}@{version}")));
            let promoted = FilesAddedToChannel { channel: to.to_string(), added, present };
            return self.channel_change(promoted, effects, true).await;
        }
        let detail = format!("from {from} to {to}");
        let subject = format!("{name}@{version}");
        let entry = RepositoryAuditEntry::new(&permit.audit_actor(), "promote", &subject, &detail)
            .announce_channel_change_when_done(&to);
        let now = self.now_unix_seconds();
        let promoted = self
            .change_repository_audited(
                entry,
                move |repository| {
                    let allow = |components: &BTreeSet<Name>| required.check(components);
                    repository
                        .promote_version_with_required_components(&name, &version, &from, &to, allow, now)
                },
                describe,
            )
            .await?;
        self.channel_change(promoted, effects, false).await
    }

    /// Takes a version out of a channel. Its packages stay in other channels and in the pool.
    pub(crate) async fn withdraw_or_preview_version(
        &self,
        permit: &UnscopedPermit<Developer>,
        withdrawal: &WithdrawalRequest,
    ) -> Result<ChannelChangeResult, BackOfficeError> {
        let (name, from) = (read_name(&withdrawal.name)?, read_name(&withdrawal.from)?);
        let version = read_version(&withdrawal.version)?;
        let required = self.publication_scopes(permit.clone(), &from).await?;
        required.check(&BTreeSet::from([name.clone()]))?;
        let (of, at, channel) = (name.clone(), version.clone(), from.clone());
        let after = self
            .run_blocking_with_repository(move |repository| {
                repository.catalog_after_withdrawal(&of, &at, &channel)
            })
            .await?;
        let effects = self.effects_of_catalog(permit, after).await?;
        let effects = self.summarize_catalog_effects(effects).await?;
        let subject = format!("{name}@{version}");
        let change = ChannelChangeResult {
            channel: from.to_string(),
            preview: withdrawal.preview,
            added: Vec::new(),
            present: Vec::new(),
            removed: Vec::new(),
            effects,
        };
        if withdrawal.preview {
            let catalog = self.read_catalog_of_all_channels().await?;
            let removed = package_files_of_newest_release(&catalog, &from, &name, &version);
            return Ok(ChannelChangeResult { removed, ..change });
        }
        let entry =
            RepositoryAuditEntry::new(&permit.audit_actor(), "withdraw", &subject, &format!("from {from}"))
                .announce_channel_change_when_done(&from);
        let now = self.now_unix_seconds();
        let withdrawn = self
            .change_repository_audited(
                entry,
                move |repository| {
                    let allow = |_: &ComponentCatalog| Ok::<_, BackOfficeError>(());
                    repository.withdraw_version(&name, &version, &from, allow, now)
                },
                |withdrawn| withdrawn.files.join(", "),
            )
            .await?;
        Ok(ChannelChangeResult { removed: withdrawn.files, ..change })
    }

    /// What going to another catalog does to servers; refused where the principal has no grant.
    async fn effects_of_catalog(
        &self,
        permit: &UnscopedPermit<Developer>,
        after: Arc<ComponentCatalog>,
    ) -> Result<BTreeMap<ServerName, Vec<Effect>>, BackOfficeError> {
        let (state, before) =
            (self.cached_or_read_current_estate().await?, self.read_catalog_of_all_channels().await?);
        let recorded = self.refresh_resolution_reads_index().await?;
        let estate = Arc::clone(&state);
        let effects = tokio::task::spawn_blocking(move || {
            find_catalog_change_effects(&estate.estate, &before, &after, &recorded)
        })
        .await
        .map_err(|error| BackOfficeError::Broken(format!("the effects could not be found: {error}")))?;
        for (server, effects) in &effects {
            let Some(server) = state.estate.servers.get(server) else { continue };
            for effect in effects {
                let environment = Some(server.environment.clone());
                permit.require_grant_in_scope(&EnvironmentAndComponentScope {
                    environment,
                    component: effect.component_of_effect().cloned(),
                })?;
            }
        }
        Ok(effects)
    }

    async fn summarize_catalog_effects(
        &self,
        effects: BTreeMap<ServerName, Vec<Effect>>,
    ) -> Result<Vec<model::wire::ServersWithSameEffectDescriptions>, BackOfficeError> {
        Ok(group_and_mask_effects(effects, &self.load_and_store_ever_secret_parameters().await?))
    }

    async fn channel_change(
        &self,
        published: FilesAddedToChannel,
        effects: BTreeMap<ServerName, Vec<Effect>>,
        preview: bool,
    ) -> Result<ChannelChangeResult, BackOfficeError> {
        let FilesAddedToChannel { channel, added, present } = published;
        let effects = self.summarize_catalog_effects(effects).await?;
        Ok(ChannelChangeResult { channel, preview, added, present, removed: Vec::new(), effects })
    }

    /// The grants that making components visible in a channel needs: one in every environment that follows it.
    async fn publication_scopes(
        &self,
        permit: UnscopedPermit<Developer>,
        channel: &Name,
    ) -> Result<PublicationScopes, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let followers = state.estate.environments.iter().filter(|(_, one)| one.channel == *channel);
        Ok(PublicationScopes { permit, environments: followers.map(|(name, _)| name.clone()).collect() })
    }
}

/// Who publishes, and the environments that follow the channel.
struct PublicationScopes {
    permit: UnscopedPermit<Developer>,
    environments: Vec<Name>,
}

impl PublicationScopes {
    /// Refuses components that the principal has no grant for in each of the environments.
    fn check(&self, components: &BTreeSet<Name>) -> Result<(), BackOfficeError> {
        for component in components {
            self.permit.require_grant_for_component_somewhere(component)?;
            for environment in &self.environments {
                self.permit.require_grant_in_scope(
                    &EnvironmentAndComponentScope::scope_of_component_in_environment(environment, component),
                )?;
            }
        }
        Ok(())
    }
}

/// The packages of the newest `version` of `name` in `channel`, as its withdrawal lists them.
fn package_files_of_newest_release(
    catalog: &ComponentCatalog,
    channel: &Name,
    name: &Name,
    version: &Version,
) -> Vec<String> {
    let in_channel = catalog.component_versions_in_channel(channel, name);
    let newest = in_channel.iter().rev().find(|release| release.satisfies_requested_version(version));
    let release = newest.and_then(|newest| catalog.components.get(name)?.get(newest));
    let packages = release.map(|release| [&release.payload, &release.deployment]);
    let mut files: Vec<String> = packages.into_iter().flatten().map(|package| package.file.clone()).collect();
    files.sort();
    files
}

fn read_name(text: &str) -> Result<Name, BackOfficeError> {
    Name::new(text).map_err(|error| BackOfficeError::Refused(error.to_string()))
}

fn read_version(text: &str) -> Result<Version, BackOfficeError> {
    text.parse().map_err(|error: model::version::VersionError| BackOfficeError::Refused(error.to_string()))
}

fn describe(published: &FilesAddedToChannel) -> String {
    let added = published.added.join(", ");
    format!(
        "{} files became visible, {} were before: {added}",
        published.added.len(),
        published.present.len()
    )
}
