//! Random values, nodes and estates for property tests, and a catalog of what one gives.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages, PackageFile},
    component::Component,
    estate::{
        Environment, Estate, Group, InheritanceRemoval, PlaceId, PlaceSettings, RemovedInheritedItem,
        RevisionAndAuthor, Role, Server, ValueWithRevisionAndAuthor, VersionRangeWithRevisionAndAuthor,
    },
    name::{Key, Name, ServerName},
    node::{
        Node, NodeComponent, NodeValue, RequirementProvenanceEntry, RequirementProvenanceKind,
        ValueProvenanceEntry,
    },
    value::Value,
    version::{Version, VersionRange},
};
use proptest::{collection, option, prelude::*};

/// Texts that tempt a YAML writer: numbers, words, indicators, spaces, line ends, other scripts.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,12}",
        "[a\n \t#:'\"\\\\|>-]{0,16}",
        "[ab \n]{70,120}",
        "(yes|no|on|off|true|null|~|NaN|[.]inf|0x1F|0o17|0755|1_000|1e3|-0|1[.]0|12:30:45|2026-11-23|=|<<|---|[.][.][.])",
        "\u{85}|\u{2028}|\u{feff}|a\u{7f}b|\u{1b}\\[2J|\u{0}|é|日本|🦀",
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Number),
        text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            collection::btree_map(text(), inner, 0..4).prop_map(Value::Map),
        ]
    })
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[a-z]([a-z0-9-]{0,6}[a-z0-9])?".prop_map(|text| Name::new(&text).unwrap())
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    prop_oneof!["[a-z][a-z0-9_]{0,8}", "(y|n|on|off|yes|no|null|true)"]
        .prop_map(|text| Key::new(&text).unwrap())
}

fn server_name() -> impl Strategy<Value = ServerName> {
    prop_oneof!["[a-z0-9]{1,5}([.][a-z]{1,4}){0,2}", "(0755|1e3|no|12|0x1f|1[.]5)"]
        .prop_map(|text| ServerName::new(&text).unwrap())
}

fn version() -> impl Strategy<Value = Version> {
    "[0-9]{1,2}([.][0-9]{1,2}){0,2}(-[1-9])?".prop_map(|text| text.parse().unwrap())
}

fn range() -> impl Strategy<Value = VersionRange> {
    prop_oneof![Just("*".to_owned()), "[~^]?[1-9]([.][0-9]){0,2}", ">=[1-9], <[1-9][.]0"]
        .prop_map(|text| text.parse().unwrap())
}

fn place() -> impl Strategy<Value = PlaceId> {
    prop_oneof![
        server_name().prop_map(PlaceId::Server),
        name().prop_map(PlaceId::Group),
        name().prop_map(PlaceId::Environment),
        name().prop_map(PlaceId::Role),
        name().prop_map(PlaceId::Default),
    ]
}

fn origin() -> impl Strategy<Value = RevisionAndAuthor> {
    (any::<u64>(), text()).prop_map(|(revision, by)| RevisionAndAuthor { revision, by })
}

fn entry() -> impl Strategy<Value = ValueProvenanceEntry> {
    (place(), option::of(value()), any::<bool>(), any::<bool>(), option::of(origin())).prop_map(
        |(place, value, removes, effective, origin)| {
            let value = value.map(Arc::new);
            ValueProvenanceEntry { place, value, removes, effective, origin }
        },
    )
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let node_value =
        (value(), any::<bool>(), collection::vec(entry(), 0..3)).prop_map(|(value, secret, provenance)| {
            Arc::new(NodeValue { value: Arc::new(value), secret, provenance: provenance.into() })
        });
    let what = prop_oneof![
        range().prop_map(RequirementProvenanceKind::Requires),
        range().prop_map(RequirementProvenanceKind::Constrains),
        Just(RequirementProvenanceKind::Removes),
        (version(), name())
            .prop_map(|(version, requires)| RequirementProvenanceKind::Excludes { version, requires }),
    ];
    let requirements =
        (place(), what, any::<bool>(), option::of(origin())).prop_map(|(place, what, effective, origin)| {
            RequirementProvenanceEntry { place, what, effective, origin }
        });
    let component =
        (version(), collection::vec(requirements, 0..3), collection::btree_map(key(), node_value, 0..4))
            .prop_map(|(version, requirements, values)| {
                let (kind, payload, deployment) = (None, None, None);
                let requirements = Arc::new(requirements);
                Arc::new(NodeComponent {
                    version,
                    kind,
                    payload,
                    deployment,
                    requirements,
                    values: values.into_iter().collect(),
                })
            });
    (
        server_name(),
        name(),
        name(),
        (any::<u64>(), any::<u64>()),
        collection::btree_map(name(), component, 0..3),
    )
        .prop_map(|(server, environment, channel, (epoch, generation), components)| Node {
            server,
            environment,
            channel,
            epoch,
            generation,
            components,
        })
}

fn removal() -> impl Strategy<Value = RemovedInheritedItem> {
    let part = text().prop_filter("not empty", |text| !text.is_empty());
    prop_oneof![
        name().prop_map(RemovedInheritedItem::Component),
        (name(), key()).prop_map(|(name, key)| RemovedInheritedItem::Value(name, key)),
        (name(), key(), collection::vec(part, 1..3))
            .prop_map(|(name, key, path)| RemovedInheritedItem::Entry(name, key, path)),
    ]
}

fn settings() -> impl Strategy<Value = PlaceSettings> {
    let message =
        value().prop_map(|value| ValueWithRevisionAndAuthor { value: Arc::new(value), origin: None });
    let requirement = || range().prop_map(|range| VersionRangeWithRevisionAndAuthor { range, origin: None });
    let removed = removal().prop_map(|what| InheritanceRemoval { what, origin: None });
    (
        collection::btree_map(name(), requirement(), 0..3),
        collection::btree_map(name(), requirement(), 0..3),
        collection::btree_map(name(), collection::btree_map(key(), message, 0..3), 0..3),
        collection::vec(removed, 0..3),
    )
        .prop_map(|(components, versions, values, remove)| PlaceSettings {
            components,
            versions,
            values,
            remove,
        })
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    collection::btree_set(name(), 0..4).prop_map(|names| names.into_iter().rev().collect())
}

/// Estates whose files are well formed; what they refer to need not exist.
pub(crate) fn estate() -> impl Strategy<Value = Estate> {
    let role = (text(), names(), settings()).prop_map(|(description, inherits, settings)| Role {
        description,
        inherits,
        settings,
    });
    let group = (text(), settings()).prop_map(|(description, settings)| Group { description, settings });
    let environment = (text(), name(), collection::btree_set(name(), 0..3), settings()).prop_map(
        |(description, channel, readable_from, settings)| Environment {
            description,
            channel,
            readable_from,
            settings,
        },
    );
    let about = (
        collection::btree_set(any::<std::net::IpAddr>(), 0..3),
        collection::btree_set("[0-9a-f]{2}(:[0-9a-f]{2}){5}", 0..2),
        collection::btree_map(text(), text(), 0..2),
    );
    let server = (text(), name(), names(), names(), about, settings()).prop_map(
        |(description, environment, groups, roles, (addresses, macs, labels), settings)| Server {
            description,
            environment,
            groups,
            roles,
            addresses: addresses.into_iter().collect(),
            macs: macs.iter().map(|mac| mac.parse().unwrap()).collect(),
            labels,
            settings,
        },
    );
    let map = |strategy| collection::btree_map(name(), strategy, 0..3);
    fn few<T: std::fmt::Debug, K: Ord + std::fmt::Debug>(
        keys: impl Strategy<Value = K>,
        values: impl Strategy<Value = T>,
    ) -> impl Strategy<Value = BTreeMap<K, T>> {
        collection::btree_map(keys, values, 0..3)
    }
    (map(role), few(name(), group), few(name(), environment), few(server_name(), server))
        .prop_map(|(roles, groups, environments, servers)| Estate { roles, groups, environments, servers })
}

/// The components in channel `prod`, to be given oldest first.
pub(crate) fn catalog(components: Vec<Component>) -> ComponentCatalog {
    let mut catalog = ComponentCatalog::default();
    for component in components {
        let package = Arc::new(PackageFile {
            name: component.name.to_string(),
            file: format!("{}.rpm", component.name),
            sha256: "0".repeat(64),
            size: 1,
        });
        let published = ComponentVersionWithPackages {
            payload: package.clone(),
            deployment: package,
            component: component.clone(),
        };
        let channel = catalog.channels.entry(Name::new("prod").unwrap()).or_default();
        channel.entry(component.name.clone()).or_default().push(component.version.clone());
        let versions = catalog.components.entry(component.name).or_default();
        versions.insert(component.version, Arc::new(published));
    }
    catalog
}
