//! The rules of each kind of resource, found by the kind.

use super::{
    ResourceBody, ResourceKind,
    rules::{KindRules, ResourceRules},
};

impl ResourceKind {
    /// What is the same for all resources of this kind.
    pub(crate) fn rules(self) -> &'static KindRules {
        match self {
            ResourceKind::File => &super::file::RULES,
            ResourceKind::Directory => &super::directory::RULES,
            ResourceKind::Symlink => &super::symlink::RULES,
            ResourceKind::User => &super::user::RULES,
            ResourceKind::Group => &super::group::RULES,
            ResourceKind::Service => &super::service::RULES,
            ResourceKind::Cron => &super::cron::RULES,
            ResourceKind::Package => &super::package::RULES,
            ResourceKind::Exec => &super::exec::RULES,
        }
    }
}

impl ResourceBody {
    /// What this resource says about itself.
    pub(crate) fn rules(&self) -> &dyn ResourceRules {
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
