//! Before-images: files, links, folders, accounts, services and OS packages as they were before punch first changed what it had not made.
//! They are on disk before the change, are put back when the host goes back to an earlier generation, and go after the next
//! good one.
//!
//! What punch made is not kept, for an earlier generation makes it again, but for the version of an OS package, which that
//! need not state. In a folder of a user of the host nothing is
//! kept, because what is read there as root could be anything.

use std::{collections::BTreeSet, io::Read as _, path::PathBuf};

use super::ApplyRun;
use crate::{
    HostError, PunchStateFolderError, RunPurpose,
    punch_state_folder::{BeforeImage, BeforeImageContent, MOST_KEPT_ASIDE_BYTES, UserBeforeImage},
};
use model::{
    observe::{
        FileType, Observation, ResourceCreatedByPunch, ResourcePropertiesByKind, ResourcePropertyKind,
        ResourcePropertyValue,
    },
    plan::{
        FoldersOfUsers, PlannedAction, PlannedChange, ResourcePropertyDifference, desired_resource_properties,
    },
    resource::{
        DirectoryResourceBody, FileResourceBody, GroupResourceBody, Ownership, PackageResourceBody, Resource,
        ResourceBody, ResourceId, ResourceKind, ServiceResourceBody, SymlinkResourceBody, UserResourceBody,
    },
};

impl ApplyRun<'_, '_> {
    /// Keeps what is there of a resource that punch did not make, before it is first changed; or says why that cannot be
    /// kept.
    pub(super) fn keep_before_image(
        &self,
        id: &ResourceId,
    ) -> Result<Result<(), HostError>, PunchStateFolderError> {
        let is_path = is_path(id);
        let is_kept = is_path || !matches!(id.kind, ResourceKind::Cron | ResourceKind::Exec);
        let is_ours = || {
            let mut made = self.look.observed.managed.resources.iter();
            let is_same =
                |made: &ResourceCreatedByPunch| made.id == *id || is_path && made.id.name == id.name;
            id.kind != ResourceKind::Package && made.any(is_same)
        };
        let is_of_user = || {
            FoldersOfUsers::find_folders_of_users(&self.look.wanted, &self.look.observed)
                .contains_resource(id)
        };
        if !is_kept || self.look.purpose != RunPurpose::Deploy || is_ours() || is_path && is_of_user() {
            return Ok(Ok(()));
        }
        let Some(Observation::Present(properties)) = self.look.observed.resources.get(id) else {
            return Ok(Ok(()));
        };
        let mut images = self.state.load_before_images()?;
        // What a killed run kept is what was there first.
        if images.iter().any(|image| image.id == *id || is_path && image.id.name == id.name) {
            return Ok(Ok(()));
        }
        let content = match properties.get(&ResourcePropertyKind::Type) {
            None => match content_of_what_lies_at_no_path(id.kind, properties) {
                Some(content) => content,
                None => return Ok(Ok(())),
            },
            Some(ResourcePropertyValue::Type(FileType::File)) => match self.open_file_to_save(id) {
                Ok(Some(file)) => {
                    // It may grow meanwhile.
                    let mut content = file.take(MOST_KEPT_ASIDE_BYTES);
                    BeforeImageContent::File(self.state.store_content(&mut content)?)
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            },
            Some(ResourcePropertyValue::Type(FileType::Symlink)) => {
                match properties.get(&ResourcePropertyKind::Target) {
                    Some(ResourcePropertyValue::Text(target)) => BeforeImageContent::Symlink(target.clone()),
                    _ => return Ok(Ok(())),
                }
            }
            Some(ResourcePropertyValue::Type(FileType::Directory)) => BeforeImageContent::Directory,
            _ => return Ok(Ok(())),
        };
        let Ownership { owner, group, mode } = observed_ownership(properties);
        images.push(BeforeImage { id: id.clone(), content, owner, group, mode });
        self.state.save_before_images(&images).map(Ok)
    }

    /// After going back to an earlier generation: puts back what it does not describe; returns whether all could be.
    pub(super) fn put_before_images_back(&mut self) -> Result<bool, PunchStateFolderError> {
        let mut images = self.state.load_before_images()?;
        let made = &self.look.observed.managed.resources;
        let is_made_by_punch = |id: &ResourceId| made.iter().any(|made| made.id == *id);
        // Packages, which can bring accounts; groups before their users, owners before what is theirs, folders before what
        // is in them, services last.
        let rank = |id: &ResourceId| match id.kind {
            ResourceKind::Package => 0,
            ResourceKind::Group => 1,
            ResourceKind::User => 2,
            ResourceKind::Service => 4,
            _ => 3,
        };
        images.sort_by(|one, other| (rank(&one.id), &one.id.name).cmp(&(rank(&other.id), &other.id.name)));
        for image in images {
            let described = self.look.wanted.components.iter().flat_map(|component| &component.resources);
            let mut described = described.filter(|resource| resource.present);
            let is_same = |id: &ResourceId| match is_path(&image.id) {
                true => id.occupied_path().as_deref() == Some(image.id.name.as_str()),
                false => *id == image.id,
            };
            let is_right = match described.find(|resource| is_same(&resource.id)).map(|found| &found.body) {
                // One that states no version leaves the one it finds.
                Some(ResourceBody::Package(package)) => package.version.is_some(),
                Some(_) => true,
                // What punch installed, and this generation does not want, has been removed.
                None => image.id.kind == ResourceKind::Package && is_made_by_punch(&image.id),
            };
            if is_right {
                continue;
            }
            let Some(resource) = self.resource_of_before_image(image)? else { continue };
            let change = PlannedChange {
                differences: differences_of_what_lies_at_no_path(&resource),
                action: PlannedAction::Apply(Box::new(resource)),
                components: Default::default(),
                creates: false,
                notifies: Vec::new(),
            };
            if !self.apply_change(&change, &[] as &[PathBuf])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The resource that makes a path what it was; `None` if what was kept of it is damaged.
    fn resource_of_before_image(
        &self,
        image: BeforeImage,
    ) -> Result<Option<Resource>, PunchStateFolderError> {
        let BeforeImage { id: ResourceId { kind, name: path }, content, owner, group, mode } = image;
        let ownership = Ownership { owner, group, mode };
        let (kind, body) = match content {
            BeforeImageContent::User(user) => (kind, ResourceBody::User(user_of_before_image(user))),
            BeforeImageContent::Group(gid) => {
                (kind, ResourceBody::Group(GroupResourceBody { gid, ..GroupResourceBody::default() }))
            }
            BeforeImageContent::Service { enabled, running } => {
                let service = ServiceResourceBody { enabled, running, reload: false, settle: None };
                (kind, ResourceBody::Service(service))
            }
            BeforeImageContent::Package(version) => {
                (kind, ResourceBody::Package(PackageResourceBody { version: Some(version) }))
            }
            BeforeImageContent::File(sha256) => {
                let Some(mut stored) = self.state.open_stored_content_if_intact(&sha256)? else {
                    return Ok(None);
                };
                let mut content = Vec::new();
                let read = stored.read_to_end(&mut content);
                read.map_err(|source| self.state.file_error("read", &path, source))?;
                (
                    ResourceKind::File,
                    ResourceBody::File(FileResourceBody { content, ownership, validate: None }),
                )
            }
            BeforeImageContent::Symlink(target) => {
                (ResourceKind::Symlink, ResourceBody::Symlink(SymlinkResourceBody { target }))
            }
            BeforeImageContent::Directory => {
                (ResourceKind::Directory, ResourceBody::Directory(DirectoryResourceBody { ownership }))
            }
        };
        let id = ResourceId::new(kind, &path);
        // What differs is not shown: it may hold a secret of the generation that failed.
        Ok(Some(Resource { id, present: true, body, require: Vec::new(), notify: Vec::new(), secret: true }))
    }
}

fn is_path(id: &ResourceId) -> bool {
    matches!(id.kind, ResourceKind::File | ResourceKind::Symlink | ResourceKind::Directory)
}

/// How an account, a service or a package is, as far as it can be put back.
fn content_of_what_lies_at_no_path(
    kind: ResourceKind,
    properties: &ResourcePropertiesByKind,
) -> Option<BeforeImageContent> {
    let flag = |kind| match properties.get(&kind) {
        Some(ResourcePropertyValue::Flag(flag)) => Some(*flag),
        _ => None,
    };
    let number = |kind| match properties.get(&kind) {
        Some(ResourcePropertyValue::Number(number)) => Some(*number),
        _ => None,
    };
    let text = |kind| observed_text(properties, kind);
    let set = |kind| match properties.get(&kind) {
        Some(ResourcePropertyValue::Set(set)) => Some(set.clone()),
        _ => None,
    };
    match kind {
        ResourceKind::User => Some(BeforeImageContent::User(UserBeforeImage {
            uid: number(ResourcePropertyKind::Uid),
            group: text(ResourcePropertyKind::Group),
            groups: set(ResourcePropertyKind::Groups),
            home: text(ResourcePropertyKind::Home),
            shell: text(ResourcePropertyKind::Shell),
            comment: text(ResourcePropertyKind::Comment),
            authorized_keys: set(ResourcePropertyKind::AuthorizedKeys),
        })),
        ResourceKind::Group => Some(BeforeImageContent::Group(number(ResourcePropertyKind::Gid))),
        ResourceKind::Service => Some(BeforeImageContent::Service {
            enabled: flag(ResourcePropertyKind::Enabled),
            running: flag(ResourcePropertyKind::Running),
        }),
        // One that another package provides has no version of its own.
        ResourceKind::Package => text(ResourcePropertyKind::Version).map(BeforeImageContent::Package),
        _ => None,
    }
}

fn user_of_before_image(image: UserBeforeImage) -> UserResourceBody {
    let UserBeforeImage { uid, group, groups, home, shell, comment, authorized_keys } = image;
    let list = |set: Option<BTreeSet<String>>| set.map(|set| set.into_iter().collect());
    let (groups, authorized_keys) = (list(groups), list(authorized_keys));
    UserResourceBody { uid, group, groups, home, shell, comment, system: true, authorized_keys }
}

/// What the tools of accounts, services and packages are told to set: all that was kept.
fn differences_of_what_lies_at_no_path(resource: &Resource) -> Vec<ResourcePropertyDifference> {
    if is_path(&resource.id) {
        return Vec::new();
    }
    let kept = desired_resource_properties(resource);
    kept.into_iter()
        .map(|(property, value)| ResourcePropertyDifference {
            property,
            before: None,
            after: Some(value),
            secret: true,
        })
        .collect()
}

fn observed_text(properties: &ResourcePropertiesByKind, kind: ResourcePropertyKind) -> Option<String> {
    match properties.get(&kind) {
        Some(ResourcePropertyValue::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn observed_ownership(properties: &ResourcePropertiesByKind) -> Ownership {
    let text = |kind| observed_text(properties, kind);
    let mode = match properties.get(&ResourcePropertyKind::Mode) {
        Some(ResourcePropertyValue::Mode(mode)) => Some(*mode),
        _ => None,
    };
    Ownership { owner: text(ResourcePropertyKind::Owner), group: text(ResourcePropertyKind::Group), mode }
}
