//! Before-images: files, links and folders as they were before punch first changed what it had not made. They are on
//! disk before the change, are put back when the host goes back to an earlier generation, and go after the next good one.
//!
//! What punch made is not kept: an earlier generation makes it again. In a folder of a user of the host nothing is
//! kept, because what is read there as root could be anything.

use std::{io::Read as _, path::PathBuf};

use super::ApplyRun;
use crate::{
    HostError, PunchStateFolderError, RunPurpose,
    punch_state_folder::{BeforeImage, BeforeImageContent, MOST_KEPT_ASIDE_BYTES},
};
use model::{
    observe::{FileType, Observation, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
    plan::{FoldersOfUsers, PlannedAction, PlannedChange},
    resource::{
        DirectoryResourceBody, FileResourceBody, Ownership, Resource, ResourceBody, ResourceId, ResourceKind,
        SymlinkResourceBody,
    },
};

impl ApplyRun<'_, '_> {
    /// Keeps what is at the path of a resource that punch did not make, before it is first changed; or says why that
    /// cannot be kept.
    pub(super) fn keep_before_image(
        &self,
        id: &ResourceId,
    ) -> Result<Result<(), HostError>, PunchStateFolderError> {
        let is_path = matches!(id.kind, ResourceKind::File | ResourceKind::Symlink | ResourceKind::Directory);
        let is_ours = || self.look.observed.managed.resources.iter().any(|made| made.id.name == id.name);
        let is_of_user = || {
            FoldersOfUsers::find_folders_of_users(&self.look.wanted, &self.look.observed)
                .contains_resource(id)
        };
        if !is_path || self.look.purpose != RunPurpose::Deploy || is_ours() || is_of_user() {
            return Ok(Ok(()));
        }
        let Some(Observation::Present(properties)) = self.look.observed.resources.get(id) else {
            return Ok(Ok(()));
        };
        let mut images = self.state.load_before_images()?;
        // What a killed run kept is what was there first.
        if images.iter().any(|image| image.path == id.name) {
            return Ok(Ok(()));
        }
        let content = match properties.get(&ResourcePropertyKind::Type) {
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
        images.push(BeforeImage { path: id.name.clone(), content, owner, group, mode });
        self.state.save_before_images(&images).map(Ok)
    }

    /// After going back to an earlier generation: puts back what it does not describe; returns whether all could be.
    pub(super) fn put_before_images_back(&mut self) -> Result<bool, PunchStateFolderError> {
        let mut images = self.state.load_before_images()?;
        // Folders before what is in them.
        images.sort_by(|one, other| one.path.cmp(&other.path));
        for image in images {
            let described = self.look.wanted.components.iter().flat_map(|component| &component.resources);
            let mut described = described.filter(|resource| resource.present);
            if described.any(|resource| resource.id.occupied_path().as_deref() == Some(image.path.as_str())) {
                continue;
            }
            let Some(resource) = self.resource_of_before_image(image)? else { continue };
            let change = PlannedChange {
                action: PlannedAction::Apply(Box::new(resource)),
                components: Default::default(),
                differences: Vec::new(),
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
        let BeforeImage { path, content, owner, group, mode } = image;
        let ownership = Ownership { owner, group, mode };
        let (kind, body) = match content {
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

fn observed_ownership(properties: &ResourcePropertiesByKind) -> Ownership {
    let text = |kind| match properties.get(&kind) {
        Some(ResourcePropertyValue::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mode = match properties.get(&ResourcePropertyKind::Mode) {
        Some(ResourcePropertyValue::Mode(mode)) => Some(*mode),
        _ => None,
    };
    Ownership { owner: text(ResourcePropertyKind::Owner), group: text(ResourcePropertyKind::Group), mode }
}
