//! What each kind of resource says about itself. The kinds' files answer; the manifest, the plan and the
//! removals ask.

use super::{ResourceBody, ResourceId};
use crate::{
    deployment_manifest::{
        field_reader::DeclarationFieldReader, keyword_definitions::DeclarationKeywordDefinition,
    },
    observe::{FileType, ObservedHost, ResourcePropertiesByKind},
};

/// What is the same for all resources of a kind.
pub(crate) struct ResourceKindDefinition {
    /// The keywords of manifests for it, with their fields and what the manual says of them.
    pub(crate) keywords: &'static [DeclarationKeywordDefinition],
    /// Makes a resource of the fields of a declaration, which notes their mistakes; a file is given the
    /// content of its source.
    pub(crate) build: fn(&mut DeclarationFieldReader<'_>, Option<Vec<u8>>) -> ResourceBody,
    /// Why no resource of this kind can have this name.
    pub(crate) name_problem: fn(&str) -> Option<String>,
    /// The path it lies at, when it lies at one.
    pub(crate) path: fn(&str) -> Option<String>,
    /// What lies at its path.
    pub(crate) file_type: Option<FileType>,
    /// Whether it must be there before payloads are installed: their files may belong to its users.
    pub(crate) before_payloads: bool,
    /// When it is removed.
    pub(crate) removal_stage: RemovalStage,
    /// Whether what was seen of it leaves nothing to be removed; on a host where systemd runs, or not.
    pub(crate) is_gone: fn(&ResourcePropertiesByKind, bool) -> bool,
}

/// When resources are removed, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RemovalStage {
    /// Services, while all they need is still there.
    Services,
    /// What lies in folders. Our packages go after it.
    Contents,
    /// Folders, which packages filled.
    Folders,
    /// Users, to whom folders belong.
    Users,
    /// Groups, which have users.
    Groups,
    /// Packages of the operating system.
    OsPackages,
}

/// What a resource says about itself. What its manifest leaves open it does not mention.
pub(crate) trait DesiredResource {
    /// The properties it must show.
    fn desired_properties(&self) -> ResourcePropertiesByKind;

    /// The users and groups it speaks of.
    fn mentioned_accounts(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    /// What it needs without saying so; `name` is its own.
    fn implied_requirements(&self, _name: &str) -> Vec<ResourceId> {
        Vec::new()
    }

    /// Why it cannot be applied on this host at all; the host is nevertheless right without it.
    fn unsupported_reason(&self, _host: &ObservedHost) -> Option<&'static str> {
        None
    }

    /// Whether it has to be made where it is absent, even when no property is asked for.
    fn must_be_created_if_absent(&self) -> bool {
        true
    }
}

/// For kinds that lie at no path.
pub(super) fn no_resource_path(_: &str) -> Option<String> {
    None
}

/// For kinds whose resources are gone only when they are absent.
pub(super) fn never_gone_while_on_host(_: &ResourcePropertiesByKind, _: bool) -> bool {
    false
}
