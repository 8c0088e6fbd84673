//! Packages of the operating system.

use super::{
    ResourceBody, ResourceKind,
    names::{invalid_resource_name_message_unless, is_name_of_plain_characters},
    rules::{
        DesiredResource, RemovalStage, ResourceKindDefinition, never_gone_while_on_host, no_resource_path,
    },
};
use crate::{
    deployment_manifest::keyword_definitions::{DeclarationKeywordDefinition, FieldValueShape::Text},
    observe::{ObservedHost, ResourcePropertiesByKind, ResourcePropertyKind, ResourcePropertyValue},
};

/// A package of the operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageResourceBody {
    /// Its version as the package tool writes it; any when absent.
    pub version: Option<String>,
}

pub(super) const PACKAGE_KIND_DEFINITION: ResourceKindDefinition = ResourceKindDefinition {
    keywords: &[DeclarationKeywordDefinition {
        word: "package",
        subject: (Text, "A package of the operating system; its name."),
        fields: &[(
            "version",
            Text,
            "Exactly this version, as the package tool writes it; any when left out.",
        )],
        required: &[],
    }],
    build: |fields, _| {
        ResourceBody::Package(PackageResourceBody { version: fields.read_optional_text("version") })
    },
    name_problem: |name| {
        invalid_resource_name_message_unless(is_name_of_plain_characters(name, "-.+:"), ResourceKind::Package)
    },
    path: no_resource_path,
    file_type: None,
    before_payloads: true,
    removal_stage: RemovalStage::OsPackages,
    is_gone: never_gone_while_on_host,
};

impl PackageResourceBody {
    /// What two descriptions of a package ask for together, if they agree. One without a version accepts the
    /// version of the other.
    pub(crate) fn merge_if_compatible(&self, other: &Self) -> Option<Self> {
        match (&self.version, &other.version) {
            (Some(one), Some(two)) if one != two => None,
            (one, two) => Some(Self { version: one.as_ref().or(two.as_ref()).cloned() }),
        }
    }
}

impl DesiredResource for PackageResourceBody {
    fn desired_properties(&self) -> ResourcePropertiesByKind {
        self.version
            .clone()
            .map(|version| (ResourcePropertyKind::Version, ResourcePropertyValue::Text(version)))
            .into_iter()
            .collect()
    }

    fn unsupported_reason(&self, host: &ObservedHost) -> Option<&'static str> {
        host.family.is_none().then_some("is not looked at: there is no system under this root")
    }
}
