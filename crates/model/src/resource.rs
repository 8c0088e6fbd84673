//! Resources: the things on a host that a manifest can describe, with evaluated values.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The name of a resource on one host: `service:shop`, `file:/etc/shop/shop.conf`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    /// What it is.
    pub kind: ResourceKind,
    /// Its path or name.
    pub name: String,
}

/// What the name of a unit of systemd can end with; a service may leave its end out.
pub const UNITS: [&str; 11] = [
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".slice",
    ".scope",
    ".device",
];

impl ResourceId {
    /// The one name of a resource: `service:shop.service` is `service:shop`.
    pub fn new(kind: ResourceKind, name: &str) -> Self {
        let bare = name.strip_suffix(".service").filter(|bare| !UNITS.iter().any(|end| bare.ends_with(end)));
        let name = bare.filter(|bare| kind == ResourceKind::Service && !bare.is_empty()).unwrap_or(name);
        Self { kind, name: name.to_owned() }
    }

    /// The path it lies at, when it lies at one: a job of cron is a file. Two resources at one path are
    /// one thing under two names.
    pub fn path(&self) -> Option<String> {
        match self.kind {
            ResourceKind::File | ResourceKind::Directory | ResourceKind::Symlink => Some(self.name.clone()),
            ResourceKind::Cron => Some(format!("/etc/cron.d/{}", self.name)),
            _ => None,
        }
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
    pub const ALL: [ResourceKind; 9] = [
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
    pub fn keyword(self) -> &'static str {
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

    /// Whether it must be there before payloads are installed: their files may belong to its users.
    pub fn before_payloads(self) -> bool {
        matches!(self, ResourceKind::User | ResourceKind::Group | ResourceKind::Package)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.keyword(), self.name)
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
                let kind = ResourceKind::ALL.into_iter().find(|kind| kind.keyword() == word)?;
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
    pub fn accounts(&self) -> Vec<ResourceId> {
        let users: Vec<&String> = match &self.body {
            ResourceBody::File(file) => file.ownership.owner.iter().collect(),
            ResourceBody::Directory(ownership) => ownership.owner.iter().collect(),
            _ => Vec::new(),
        };
        let groups: Vec<&String> = match &self.body {
            ResourceBody::File(file) => file.ownership.group.iter().collect(),
            ResourceBody::Directory(ownership) => ownership.group.iter().collect(),
            ResourceBody::User(user) => user.group.iter().chain(user.groups.iter().flatten()).collect(),
            _ => Vec::new(),
        };
        let users = users.into_iter().map(|name| ResourceId::new(ResourceKind::User, name));
        let groups = groups.into_iter().map(|name| ResourceId::new(ResourceKind::Group, name));
        users.chain(groups).filter(|id| id.name != "root" && id.name.parse::<u32>().is_err()).collect()
    }
}

/// What a resource must be like, by kind. What is `None` is left as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceBody {
    /// A file.
    File(FileResource),
    /// A directory.
    Directory(Ownership),
    /// A link to this target.
    Symlink(String),
    /// A user.
    User(UserResource),
    /// A group.
    Group(GroupResource),
    /// A systemd unit.
    Service(ServiceResource),
    /// A cron job.
    Cron(CronResource),
    /// A package of the operating system; `version` as the package tool writes it.
    Package {
        /// Any version when absent.
        version: Option<String>,
    },
    /// A command.
    Exec(ExecResource),
}

/// Who owns a path, and its mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// User name.
    pub owner: Option<String>,
    /// Group name.
    pub group: Option<String>,
    /// Permission bits (`0o644`).
    pub mode: Option<u32>,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileResource {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Owner, group, mode.
    pub ownership: Ownership,
}

/// A system user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserResource {
    /// Numeric id.
    pub uid: Option<u32>,
    /// Primary group, by name.
    pub group: Option<String>,
    /// Further groups, by name; the user is in these and no other (when given).
    pub groups: Option<Vec<String>>,
    /// Home directory.
    pub home: Option<String>,
    /// Login shell.
    pub shell: Option<String>,
    /// Comment (GECOS).
    pub comment: Option<String>,
    /// A system account (low uid, no ageing), when it has to be created.
    pub system: bool,
    /// Lines of `~/.ssh/authorized_keys`; the file holds these and no other (when given).
    pub authorized_keys: Option<Vec<String>>,
}

/// A system group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupResource {
    /// Numeric id.
    pub gid: Option<u32>,
    /// A system group (low gid), when it has to be created.
    pub system: bool,
}

/// A systemd unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceResource {
    /// Started at boot.
    pub enabled: Option<bool>,
    /// Running now.
    pub running: Option<bool>,
    /// `reload` instead of `restart` when notified.
    pub reload: bool,
}

/// A job in `/etc/cron.d/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronResource {
    /// Five fields, or `@daily` and its kin (crontab(5)).
    pub schedule: String,
    /// Who runs it.
    pub user: String,
    /// The command line.
    pub command: String,
    /// Variables set before it.
    pub environment: BTreeMap<String, String>,
}

impl CronResource {
    /// The text of its file in `/etc/cron.d`.
    pub fn file(&self) -> String {
        let mut text = "# Written by punch; changes here are undone by the next restore.\n".to_owned();
        for (name, value) in &self.environment {
            text.push_str(&format!("{name}={value}\n"));
        }
        text.push_str(&format!("{} {} {}\n", self.schedule, self.user, self.command));
        text
    }
}

/// A command run when its guard requires it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecResource {
    /// Program and arguments; no shell in between.
    pub command: Vec<String>,
    /// Run only if this path does not exist.
    pub creates: Option<String>,
    /// Run only if this command fails.
    pub unless: Option<Vec<String>>,
    /// Run only if this command succeeds.
    pub only_if: Option<Vec<String>>,
    /// Run only when notified.
    pub refresh_only: bool,
    /// Who runs it; root when absent.
    pub user: Option<String>,
    /// Working directory.
    pub directory: Option<String>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Seconds before it is stopped.
    pub timeout: u64,
}
