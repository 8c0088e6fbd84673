//! Random estates with catalogs that mostly can be resolved, and that use every rule of resolution.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    catalog::{ComponentCatalog, ComponentVersionWithPackages, PackageFile},
    component::Component,
    estate::Estate,
    format::{
        estate::{self, EstateYamlByPath},
        yaml,
    },
    name::Name,
};
use proptest::{collection, prelude::*, sample};

const COMPONENTS: [&str; 4] = ["a", "b", "c", "d"];
const KEYS: [&str; 6] = ["n", "s", "k", "l", "m", "v"];
/// What places set: selections more often than the rest.
const SET_KEYS: [&str; 8] = ["n", "s", "k", "l", "m", "v", "v", "v"];
const CHANNELS: [&str; 2] = ["c0", "c1"];

/// An estate as files, and what is published.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) documents: EstateYamlByPath,
    pub(crate) published: Vec<Published>,
}

/// A version, the channels that it is in, and a number that stands for the bytes of its packages.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    component: String,
    pub(crate) channels: [bool; 2],
    pub(crate) bytes: u8,
}

impl Published {
    /// A version in the first channel.
    pub(crate) fn new(component: &str) -> Self {
        Self { component: component.to_owned(), channels: [true, false], bytes: 0 }
    }
}

impl Scene {
    pub(crate) fn estate(&self) -> Estate {
        estate::parse_estate_yaml(&self.documents).unwrap()
    }

    pub(crate) fn catalog(&self) -> ComponentCatalog {
        let mut catalog = ComponentCatalog::default();
        for channel in CHANNELS {
            catalog.channels.insert(Name::new(channel).unwrap(), BTreeMap::new());
        }
        for Published { component, channels, bytes } in &self.published {
            let component: Component = yaml::parse_yaml("component.yaml", component).unwrap();
            for (channel, _) in CHANNELS.iter().zip(channels).filter(|(_, is_in)| **is_in) {
                let names = catalog.channels.get_mut(*channel).unwrap();
                let versions = names.entry(component.name.clone()).or_default();
                versions.push(component.version.clone());
                versions.sort();
            }
            if !channels.contains(&true) {
                continue;
            }
            let (name, file) = (component.name.to_string(), format!("{}.rpm", component.version));
            let package = Arc::new(PackageFile { name, file, sha256: format!("{bytes:064}"), size: 1 });
            let (name, version) = (component.name.clone(), component.version.clone());
            let found =
                ComponentVersionWithPackages { component, payload: package.clone(), deployment: package };
            catalog.components.entry(name).or_default().insert(version, Arc::new(found));
        }
        catalog
    }
}

pub(crate) fn scene() -> impl Strategy<Value = Scene> {
    (documents(), published()).prop_map(|(documents, published)| Scene { documents, published })
}

/// One to three versions of two to four components.
fn published() -> impl Strategy<Value = Vec<Published>> {
    (2..=COMPONENTS.len()).prop_flat_map(|count| {
        let components: Vec<_> = (0..count).map(|at| collection::vec(version(at), 1..=3)).collect();
        components.prop_map(|components| {
            let numbered = components.into_iter().flat_map(|versions| versions.into_iter().enumerate());
            let published = numbered.map(|(at, (text, channels))| {
                let component = text.replace("VERSION", &format!("{}-1", at + 1));
                Published { component, channels, bytes: 0 }
            });
            published.collect()
        })
    })
}

/// A component whose version is filled in later, and its channels.
fn version(at: usize) -> impl Strategy<Value = (String, [bool; 2])> {
    let declarations: Vec<_> = KEYS
        .iter()
        .map(|key| {
            (0..20u8, 0..COMPONENTS.len()).prop_map(|digits| declaration(key, digits.0, COMPONENTS[digits.1]))
        })
        .collect();
    let requires = collection::btree_map(0..COMPONENTS.len(), range(), 0..3);
    let requires = prop_oneof![3 => Just(BTreeMap::new()), 1 => requires];
    let is_in = || prop::bool::weighted(0.93);
    (requires, declarations, [is_in(), is_in()]).prop_map(move |(requires, declarations, channels)| {
        let requires: Vec<String> = requires
            .into_iter()
            .filter(|(other, _)| *other != at)
            .map(|(other, range)| format!("{}: {range:?}", COMPONENTS[other]))
            .collect();
        let name = COMPONENTS[at];
        let declarations: Vec<String> =
            declarations.into_iter().flatten().map(|text| text.replace("OWN", name)).collect();
        let text = format!(
            "{{name: {name}, version: VERSION, kind: os-config, summary: S., requires: {{{}}}, parameters: {{{}}}}}",
            requires.join(", "),
            declarations.join(", ")
        );
        (text, channels)
    })
}

/// How a version declares a parameter; a few versions do not.
fn declaration(key: &str, digit: u8, other: &str) -> Option<String> {
    let choices: &[(u8, &str)] = match key {
        "n" => {
            &[(14, "type: integer, default: 1"), (3, "type: integer"), (2, "type: integer, required: true")]
        }
        "s" => &[
            (6, "type: string, default: s"),
            (4, "type: string, default: \"${server.name}\""),
            (3, "type: string, default: \"${OWN.n}-${OWN.n}\""),
            (2, "type: string, default: \"${OTHER.s}\""),
            (3, "type: string"),
            (1, "type: string, secret: true"),
        ],
        "k" => &[
            (10, "type: string, secret: true, shared: true"),
            (6, "type: string, secret: true"),
            (3, "type: string, secret: true, required: true"),
        ],
        "l" => &[
            (6, "type: list, merge: append, default: [1, 2]"),
            (3, "type: list, merge: append"),
            (3, "type: list, merge: append, default: [\"${OWN.s}\"]"),
            (4, "type: list, default: [1]"),
            (3, "type: string-list, merge: append, default: [x]"),
        ],
        "m" => &[
            (6, "type: map, merge: deep, default: {x: 0, y: {z: 0, w: {q: 0}}}"),
            (3, "type: map, merge: deep"),
            (3, "type: map, merge: deep, default: {y: 9, r: \"${OWN.s}\"}"),
            (4, "type: map, default: {x: 0, y: {z: 0}}"),
            (3, "type: map, merge: deep, secret: true"),
        ],
        _ => &[
            (5, "type: servers, reads: [OTHER.n, OTHER.s]"),
            (4, "type: servers, reads: [OTHER.l, OTHER.m, OWN.n]"),
            (2, "type: servers, reads: [OTHER.k], secret: true"),
            (1, "type: servers, reads: [OTHER.k]"),
            (1, "type: servers, reads: [OTHER.v]"),
            (2, "type: servers, reads: [OTHER.n], default: {component: OWN}"),
            (4, "type: servers"),
        ],
    };
    let what = weighted(choices, digit)?;
    Some(format!("{key}: {{description: D., {}}}", what.replace("OTHER", other)))
}

/// The choice that a digit stands for; each stands for as many as its weight.
fn weighted(choices: &[(u8, &'static str)], digit: u8) -> Option<&'static str> {
    let mut left = digit;
    choices.iter().find_map(|(weight, choice)| match left.checked_sub(*weight) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(*choice),
    })
}

fn range() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => Just("*"), 1 => Just("1"), 1 => Just("2"), 1 => Just(">=2"), 1 => Just("<3"), 1 => Just("^3")]
}

/// A value as a place writes it; what comes later is wrong more often.
fn value(own: &str, other: &str, key: &str, digit: u8) -> String {
    let choices: &[(u8, &str)] = match key {
        "n" => &[(12, "1"), (15, "2"), (2, "\"${OTHER.n}\""), (1, "x")],
        "s" => &[
            (12, "x"),
            (3, "\"n${OWN.n}\""),
            (4, "\"${server.name}\""),
            (3, "\"${OTHER.s}\""),
            (2, "\"${server.environment}/$${x}\""),
            (2, "\"${OWN.k}\""),
            (2, "\"s${OTHER.k}\""),
            (1, "\"${OWN.nothing}\""),
            (1, "\"${OWN.s}\""),
        ],
        "k" => &[(23, "k1"), (4, "\"${OWN.s}\""), (2, "\"${OTHER.k}\""), (1, "5")],
        "l" => &[
            (7, "[1]"),
            (6, "[x, 1, x]"),
            (5, "[]"),
            (3, "[1.0, [1], {a: 1}]"),
            (4, "[\"${OWN.s}\", y]"),
            (4, "\"${OTHER.l}\""),
            (1, "{a: 1}"),
        ],
        "m" => &[
            (6, "{x: 1}"),
            (5, "{y: {z: 2, w: {q: 1}}}"),
            (5, "{y: 5}"),
            (4, "{x: {p: 1}, y: {z: {q: 1}, v: 2}}"),
            (4, "{x: \"${OWN.s}\"}"),
            (4, "\"${OTHER.m}\""),
            (1, "{}"),
            (1, "[1]"),
        ],
        _ => &[
            (5, "{role: r0}"),
            (4, "{group: g0}"),
            (4, "{component: OTHER}"),
            (3, "{role: r1, component: OWN}"),
            (3, "{group: g1, role: r2}"),
            (3, "{environment: e0}"),
            (3, "{environment: e1, role: r0}"),
            (2, "{environment: \"${server.environment}\", component: OTHER}"),
            (2, "{role: \"${OWN.s}\"}"),
            (1, "{rol: r0}"),
        ],
    };
    weighted(choices, digit).unwrap().replace("OWN", own).replace("OTHER", other)
}

fn removal(component: &str, key: &str, digit: u8) -> String {
    match digit {
        0..=1 => component.to_owned(),
        2..=6 => format!("{component}.{key}"),
        7 => format!("{component}.m"),
        8..=10 => format!("{component}.m.x"),
        11..=13 => format!("{component}.m.y.z"),
        14..=16 => format!("{component}.m.y"),
        17..=18 => format!("{component}.m.y.w.q"),
        _ => format!("{component}.v.role"),
    }
}

/// What a place says.
fn settings() -> impl Strategy<Value = String> {
    // Most estates have the first two in their channels.
    let component = || prop_oneof![6 => 0..2usize, 1 => 2..COMPONENTS.len()];
    let required = collection::btree_map(component(), range(), 0..2);
    let bounds = prop_oneof![
        3 => Just(BTreeMap::new()),
        1 => collection::btree_map(component(), range(), 0..2),
    ];
    let values = collection::vec((component(), component(), sample::select(&SET_KEYS[..]), 0..30u8), 0..4);
    let removed = prop_oneof![
        1 => Just(Vec::new()),
        1 => collection::vec((component(), sample::select(&KEYS[..]), 0..20u8), 0..3),
    ];
    (required, bounds, values, removed).prop_map(|(required, bounds, values, removed)| {
        let ranges = |ranges: BTreeMap<usize, &str>| {
            let ranges = ranges.into_iter().map(|(at, range)| format!("{}: {range:?}", COMPONENTS[at]));
            ranges.collect::<Vec<_>>().join(", ")
        };
        let mut by_component: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
        for (own, other, key, digit) in values {
            let (own, other) = (COMPONENTS[own], COMPONENTS[other]);
            by_component.entry(own).or_default().insert(key, value(own, other, key, digit));
        }
        let values = by_component.into_iter().map(|(component, values)| {
            let values: Vec<_> =
                values.into_iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{component}: {{{}}}", values.join(", "))
        });
        let removed = removed.into_iter().map(|(at, key, digit)| removal(COMPONENTS[at], key, digit));
        format!(
            "components: {{{}}}\nversions: {{{}}}\nvalues: {{{}}}\nremove: [{}]\n",
            ranges(required),
            ranges(bounds),
            values.collect::<Vec<_>>().join(", "),
            removed.collect::<Vec<_>>().join(", ")
        )
    })
}

/// Some of `names` in any order, and rarely one that does not exist.
fn some_of(names: Vec<String>) -> impl Strategy<Value = String> {
    let most = names.len().min(3);
    let some = sample::subsequence(names, 0..=most);
    let some = prop_oneof![12 => some.clone(), 1 => some.prop_shuffle()];
    (some, prop::bool::weighted(0.01)).prop_map(|(mut names, unknown)| {
        names.extend(unknown.then(|| "x9".to_owned()));
        names.join(", ")
    })
}

fn names(prefix: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|at| format!("{prefix}{at}")).collect()
}

/// Two or three environments, up to three groups, one to six roles, one to five servers.
pub(crate) fn documents() -> impl Strategy<Value = EstateYamlByPath> {
    (2..=3usize, 0..=3usize, 1..=6usize, 1..=5usize).prop_flat_map(|(environments, groups, roles, servers)| {
        let mut files: Vec<BoxedStrategy<(String, String)>> = Vec::new();
        for at in 0..environments {
            let readable = collection::btree_set(0..environments, 0..=environments);
            let file = (sample::select(&CHANNELS[..]), readable, settings()).prop_map(
                move |(channel, readable, settings): (_, BTreeSet<usize>, _)| {
                    let readable = names("e", readable).join(", ");
                    let text = format!(
                        "format: geppetto/environment/1\nchannel: {channel}\nreadable_from: [{readable}]\n{settings}"
                    );
                    (format!("environments/e{at}.yaml"), text)
                },
            );
            files.push(file.boxed());
        }
        for at in 0..groups {
            let file = settings().prop_map(move |settings| {
                (format!("groups/g{at}.yaml"), format!("format: geppetto/group/1\n{settings}"))
            });
            files.push(file.boxed());
        }
        for at in 0..roles {
            let parents = prop_oneof![
                30 => some_of(names("r", at + 1..roles)),
                1 => some_of(names("r", (0..roles).filter(move |other| *other != at))),
            ];
            let file = (parents, settings()).prop_map(move |(parents, settings)| {
                let text = format!("format: geppetto/role/1\ninherits: [{parents}]\n{settings}");
                (format!("roles/r{at}.yaml"), text)
            });
            files.push(file.boxed());
        }
        for at in 0..servers {
            let lists = (some_of(names("g", 0..groups)), some_of(names("r", 0..roles)));
            let about = prop_oneof![
                Just(""),
                Just("addresses: [10.0.0.1, \"fd00::1\"]\n"),
                Just("labels: {rack: a7}\n"),
            ];
            let file = (0..environments, lists, about, settings()).prop_map(
                move |(environment, (groups, roles), about, settings)| {
                    let text = format!(
                        "format: geppetto/server/2\nenvironment: e{environment}\ngroups: [{groups}]\n\
                         roles: [{roles}]\n{about}{settings}"
                    );
                    (format!("servers/s{at}.yaml"), text)
                },
            );
            files.push(file.boxed());
        }
        files.prop_map(|files| files.into_iter().collect())
    })
}
