//! The rules of each kind of resource, found by the kind.

use super::{
    Ownership, ResourceBody, ResourceKind,
    rules::{DesiredResource, ResourceKindDefinition},
};

impl ResourceKind {
    /// What is the same for all resources of this kind.
    pub(crate) fn definition_of_kind(self) -> &'static ResourceKindDefinition {
        match self {
            ResourceKind::File => &super::file::FILE_KIND_DEFINITION,
            ResourceKind::Directory => &super::directory::DIRECTORY_KIND_DEFINITION,
            ResourceKind::Symlink => &super::symlink::SYMLINK_KIND_DEFINITION,
            ResourceKind::User => &super::user::USER_KIND_DEFINITION,
            ResourceKind::Group => &super::group::GROUP_KIND_DEFINITION,
            ResourceKind::Service => &super::service::SERVICE_KIND_DEFINITION,
            ResourceKind::Cron => &super::cron::CRON_KIND_DEFINITION,
            ResourceKind::Package => &super::package::PACKAGE_KIND_DEFINITION,
            ResourceKind::Exec => &super::exec::EXEC_KIND_DEFINITION,
        }
    }
}

impl ResourceBody {
    /// Owner, group and mode of a file or directory; the other kinds have none.
    pub fn ownership(&self) -> Option<&Ownership> {
        match self {
            ResourceBody::File(file) => Some(&file.ownership),
            ResourceBody::Directory(directory) => Some(&directory.ownership),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn ownership_mut(&mut self) -> Option<&mut Ownership> {
        match self {
            ResourceBody::File(file) => Some(&mut file.ownership),
            ResourceBody::Directory(directory) => Some(&mut directory.ownership),
            _ => None,
        }
    }

    /// What this resource says about itself.
    pub(crate) fn as_desired_resource(&self) -> &dyn DesiredResource {
        match self {
            ResourceBody::File(file) => file,
            ResourceBody::Directory(directory) => directory,
            ResourceBody::Symlink(symlink) => symlink,
            ResourceBody::User(user) => user,
            ResourceBody::Group(group) => group,
            ResourceBody::Service(service) => service,
            ResourceBody::Cron(cron) => cron,
            ResourceBody::Package(package) => package,
            ResourceBody::Exec(exec) => exec,
        }
    }
}
