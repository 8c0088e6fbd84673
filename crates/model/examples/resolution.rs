//! How long resolution takes: `cargo run --release -p model --example resolution [SERVERS] [ROLES] [KEYS]`.
//!
//! The estate is what people have: roles inherit from a more general role and from one of a few shared
//! ones, every role sets some values, servers have two roles, two groups and a value of their own.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use model::{
    catalog::{Catalog, CatalogVersion, PackageFile},
    component::Component,
    estate::{AssignedValue, Environment, Estate, Group, Overrides, Requirement, Role, Server},
    format::yaml,
    name::{Key, Name, ServerName},
    resolve::{Resolver, affected_servers, check, check_change, resolve},
    value::Value,
};

/// Keys of one component.
const KEYS_EACH: usize = 10;

/// Roles that many others inherit.
const SHARED: usize = 5;

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let size = |at: usize, default| sizes.get(at).copied().unwrap_or(default);
    let (servers, roles, keys) = (size(0, 1_000), size(1, 300), size(2, 50));
    let catalog = catalog(keys.div_ceil(KEYS_EACH));
    let estate = estate(servers, roles, catalog.components.len());
    say(&format!("{servers} servers, {roles} roles, {keys} keys"));

    let names: Vec<&ServerName> = estate.servers.keys().collect();
    let places =
        Resolver::new(&estate, &catalog).applicable_places(names[0]).map_or(0, |places| places.len());
    say(&format!("{places} places speak for the first server"));
    let alone = timed(|| names.iter().all(|name| resolve(&estate, &catalog, name).is_ok()));
    say(&format!("{:>12.1} us a server, each by itself", micros(alone) / servers as f64));
    let resolver = Resolver::new(&estate, &catalog);
    let together = timed(|| names.iter().all(|name| resolver.resolve(name).is_ok()));
    say(&format!("{:>12.1} us a server, all by one resolver", micros(together) / servers as f64));
    let whole = timed(|| check(&estate, &catalog).is_empty());
    say(&format!("{:>12.1} us to check everything", micros(whole)));

    let last = name("role", roles - 1);
    for (what, edited) in [
        (
            "one server",
            edit(&estate, |estate| estate.servers.values_mut().next().map(|it| &mut it.overrides)),
        ),
        ("the last role", edit(&estate, |estate| estate.roles.get_mut(&last).map(|it| &mut it.overrides))),
        (
            "the environment",
            edit(&estate, |estate| estate.environments.values_mut().next().map(|it| &mut it.overrides)),
        ),
    ] {
        let reached = affected_servers(&estate, &edited).len();
        let checked = timed(|| check_change(&estate, &edited, &catalog).is_empty());
        say(&format!("{:>12.1} us to check an edit of {what}, which reaches {reached}", micros(checked)));
    }
}

/// The best of five.
#[expect(clippy::disallowed_methods, reason = "measures")]
fn timed(work: impl Fn() -> bool) -> Duration {
    let once = || {
        let start = Instant::now();
        assert!(work(), "the estate is right");
        start.elapsed()
    };
    (0..5).map(|_| once()).min().unwrap_or_default()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::expect_used, reason = "made of letters and digits")]
fn name(kind: &str, number: usize) -> Name {
    Name::new(&format!("{kind}-{number}")).expect("is a name")
}

#[expect(clippy::expect_used, reason = "made of letters and digits")]
fn key(number: usize) -> Key {
    Key::new(&format!("key_{number}")).expect("is a key")
}

fn edit(estate: &Estate, of: impl Fn(&mut Estate) -> Option<&mut Overrides>) -> Estate {
    let mut edited = estate.clone();
    if let Some(overrides) = of(&mut edited) {
        set(overrides, 0, 0, "edited");
    }
    edited
}

fn set(overrides: &mut Overrides, component: usize, number: usize, text: &str) {
    let message = AssignedValue { value: Value::from(text), origin: None };
    overrides.values.entry(name("component", component)).or_default().insert(key(number), message);
}

#[expect(clippy::expect_used, reason = "a component that can be read")]
fn catalog(components: usize) -> Catalog {
    let mut catalog = Catalog::default();
    let visible = catalog.channels.entry(name("channel", 0)).or_default();
    for number in 0..components {
        for version in 1..=3 {
            let parameters: String = (0..KEYS_EACH)
                .map(|key| {
                    format!(
                        "  key_{key}: {{type: string, description: For the benchmark., default: plain}}\n"
                    )
                })
                .collect();
            let component: Component = yaml::read(
                "component.yaml",
                &format!(
                    "name: component-{number}\nversion: {version}.0-1\nkind: web-service\nsummary: For the benchmark.\nparameters:\n{parameters}"
                ),
            )
            .expect("is a component");
            let package = PackageFile {
                name: component.name.to_string(),
                file: format!("{}-{version}.rpm", component.name),
                sha256: "0".repeat(64),
                size: 1,
            };
            visible.entry(component.name.clone()).or_default().push(component.version.clone());
            let versions = catalog.components.entry(component.name.clone()).or_default();
            let published = CatalogVersion { payload: package.clone(), deployment: package, component };
            versions.insert(published.component.version.clone(), Arc::new(published));
        }
    }
    catalog
}

#[expect(clippy::expect_used, reason = "made of letters and digits")]
fn estate(servers: usize, roles: usize, components: usize) -> Estate {
    let role = |number: usize| {
        let mut overrides = Overrides::default();
        let component = number % components;
        let range = "^2".parse().expect("is a range");
        overrides.components.insert(name("component", component), Requirement { range, origin: None });
        for at in 0..4 {
            set(
                &mut overrides,
                (number + at) % components,
                (number + 3 * at) % KEYS_EACH,
                &format!("of role {number}"),
            );
        }
        let mut inherits = Vec::new();
        if number >= SHARED {
            // A tree above the shared roles, which stand at its end.
            let parent = SHARED + (number - SHARED) / 3;
            inherits.extend((parent != number).then(|| name("role", parent)));
            inherits.push(name("role", number % SHARED));
        }
        (name("role", number), Role { description: String::new(), inherits, overrides })
    };
    let group = |number: usize| {
        let mut overrides = Overrides::default();
        set(
            &mut overrides,
            number % components,
            number % KEYS_EACH,
            "${server.name} in ${server.environment}",
        );
        (name("group", number), Group { description: String::new(), overrides })
    };
    let mut overrides = Overrides::default();
    for component in 0..components {
        overrides.components.insert(
            name("component", component),
            Requirement { range: ">=2, <3".parse().expect("is a range"), origin: None },
        );
        set(&mut overrides, component, 1, &format!("${{component-{component}.key_0}} of the environment"));
    }
    let environment = Environment { description: String::new(), channel: name("channel", 0), overrides };
    let server = |number: usize| {
        let mut overrides = Overrides::default();
        set(&mut overrides, number % components, 2, "of the server");
        let server = Server {
            description: String::new(),
            environment: name("environment", 0),
            groups: vec![name("group", number % 7), name("group", 7 + number % 3)],
            roles: vec![name("role", SHARED + number % (roles - SHARED))],
            overrides,
        };
        (ServerName::new(&format!("server-{number}")).expect("is a server name"), server)
    };
    Estate {
        roles: (0..roles).map(role).collect::<BTreeMap<_, _>>(),
        groups: (0..10).map(group).collect(),
        environments: [(name("environment", 0), environment)].into(),
        servers: (0..servers).map(server).collect(),
    }
}
