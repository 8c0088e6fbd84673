//! The rules of each kind of resource, found by the kind.

use super::{
    ResourceBody, ResourceKind,
    rules::{ResourceKindRules, ResourceRules},
};

impl ResourceKind {
    /// What is the same for all resources of this kind.
    pub(crate) fn rules_of_kind(self) -> &'static ResourceKindRules {
        match self {
            ResourceKind::File => &super::file::FILE_RULES,
            ResourceKind::Directory => &super::directory::DIRECTORY_RULES,
            ResourceKind::Symlink => &super::symlink::SYMLINK_RULES,
            ResourceKind::User => &super::user::USER_RULES,
            ResourceKind::Group => &super::group::GROUP_RULES,
            ResourceKind::Service => &super::service::SERVICE_RULES,
            ResourceKind::Cron => &super::cron::CRON_RULES,
            ResourceKind::Package => &super::package::PACKAGE_RULES,
            ResourceKind::Exec => &super::exec::EXEC_RULES,
        }
    }
}

impl ResourceBody {
    /// What this resource says about itself.
    pub(crate) fn rules_of_resource(&self) -> &dyn ResourceRules {
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
