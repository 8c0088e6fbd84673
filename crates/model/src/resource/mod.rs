//! Resources: the things on a host that a manifest can describe, with evaluated values.
//!
//! Each kind has a file of its own: what it is, its fields and what the manual says of them, the mistakes
//! that can be made, the properties it must show, what it needs, when it is removed. The file of the same name in
//! `converge` observes and applies it.

pub(crate) mod cron;
pub(crate) mod directory;
pub(crate) mod exec;
pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod package;
pub(crate) mod service;
pub(crate) mod symlink;
pub(crate) mod user;

mod kinds;
mod names;
mod owner_in_user_folder;
mod ownership;
mod rules;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::{
    cron::CronResourceBody,
    directory::DirectoryResourceBody,
    exec::ExecResourceBody,
    file::FileResourceBody,
    group::GroupResourceBody,
    ownership::Ownership,
    package::PackageResourceBody,
    service::{ServiceResourceBody, UNIT_SUFFIXES},
    symlink::SymlinkResourceBody,
    user::UserResourceBody,
};
pub(crate) use self::{
    names::is_valid_account_name, owner_in_user_folder::root_owned_in_user_folder_reason, rules::RemovalStage,
};

/// The name of a resource on one host: `service:shop`, `file:/etc/shop/shop.conf`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    /// What it is.
    pub kind: ResourceKind,
    /// Its path or name.
    pub name: String,
}

impl ResourceId {
    /// The one name of a resource: `service:shop.service` is `service:shop`.
    pub fn new(kind: ResourceKind, name: &str) -> Self {
        let name =
            if kind == ResourceKind::Service { service::strip_service_unit_suffix(name) } else { name };
        Self { kind, name: name.to_owned() }
    }

    /// The path it lies at, when it lies at one: a job of cron is a file. Two resources at one path are
    /// one thing under two names.
    pub fn occupied_path(&self) -> Option<String> {
        (self.kind.definition_of_kind().path)(&self.name)
    }
}

/// The kinds of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A regular file with given content (a template is one after rendering).
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A system user.
    User,
    /// A system group.
    Group,
    /// A systemd unit.
    Service,
    /// A job of cron.
    Cron,
    /// A package of the operating system.
    Package,
    /// A command, run when its guard requires it.
    Exec,
}

impl ResourceKind {
    /// All kinds, in the order of the manual.
    pub const ALL_RESOURCE_KINDS: [ResourceKind; 9] = [
        ResourceKind::File,
        ResourceKind::Directory,
        ResourceKind::Symlink,
        ResourceKind::User,
        ResourceKind::Group,
        ResourceKind::Service,
        ResourceKind::Cron,
        ResourceKind::Package,
        ResourceKind::Exec,
    ];

    /// The word manifests use.
    pub fn manifest_keyword(self) -> &'static str {
        match self {
            ResourceKind::File => "file",
            ResourceKind::Directory => "directory",
            ResourceKind::Symlink => "symlink",
            ResourceKind::User => "user",
            ResourceKind::Group => "group",
            ResourceKind::Service => "service",
            ResourceKind::Cron => "cron",
            ResourceKind::Package => "package",
            ResourceKind::Exec => "exec",
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.manifest_keyword(), self.name)
    }
}
impl From<ResourceId> for String {
    fn from(id: ResourceId) -> String {
        id.to_string()
    }
}
impl TryFrom<String> for ResourceId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(word, name)| {
                let kind = ResourceKind::ALL_RESOURCE_KINDS
                    .into_iter()
                    .find(|kind| kind.manifest_keyword() == word)?;
                (!name.is_empty()).then(|| ResourceId::new(kind, name))
            })
            .ok_or_else(|| {
                format!("`{text}` does not name a resource: write KIND:NAME, for instance `service:shop`")
            })
    }
}

/// A resource, ready to be compared with what is on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its path or name, and kind.
    pub id: ResourceId,
    /// Whether it must exist; `false` removes it.
    pub present: bool,
    /// What it must be like.
    pub body: ResourceBody,
    /// Resources that must be applied before this one.
    pub require: Vec<ResourceId>,
    /// Services restarted (and execs run) once when this one changed.
    pub notify: Vec<ResourceId>,
    /// Whether a secret value went into it: what differs is never shown.
    pub secret: bool,
}

impl Resource {
    /// The users and groups that must be there before it can be made. Numbers, and root, always are.
    pub fn required_accounts(&self) -> Vec<ResourceId> {
        let accounts = self.body.as_desired_resource().mentioned_accounts().into_iter();
        accounts.filter(|id| id.name != "root" && id.name.parse::<u32>().is_err()).collect()
    }
}

/// What a resource must be like, by kind. What is `None` is left as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceBody {
    /// A file.
    File(FileResourceBody),
    /// A directory.
    Directory(DirectoryResourceBody),
    /// A symbolic link.
    Symlink(SymlinkResourceBody),
    /// A user.
    User(UserResourceBody),
    /// A group.
    Group(GroupResourceBody),
    /// A systemd unit.
    Service(ServiceResourceBody),
    /// A cron job.
    Cron(CronResourceBody),
    /// A package of the operating system.
    Package(PackageResourceBody),
    /// A command.
    Exec(ExecResourceBody),
}
