//! The components of the inventory: 25 with 22 parameters each, and what a place may set them to.

use serde_json::{Value, json};

use super::{InventoryComponent, InventoryParameter, sequence::SeededNumberSequence};

/// The components of every server.
pub(super) const BASE_COMPONENTS: [&str; 16] = [
    "accounts",
    "auditd",
    "backup",
    "certificates",
    "chrony",
    "dns-client",
    "firewall",
    "kernel",
    "logrotate",
    "mail-relay",
    "node-exporter",
    "openssh",
    "package-sources",
    "rsyslog",
    "sudo",
    "timers",
];

/// The components that come with a role of each of the first three branches; every server has one of each.
pub(super) const COMPONENTS_BY_ROLE_BRANCH: [[&str; 3]; 3] = [
    ["nginx", "web-app", "session-cache"],
    ["postgresql", "pgbouncer", "pg-backup"],
    ["haproxy", "vip", "dnsdist"],
];

/// The keys a place may set; the first ones are set most often.
pub(super) const SETTABLE_PARAMETER_KEYS: [&str; 18] = [
    "contact",
    "title",
    "log_level",
    "banner",
    "upstream",
    "port",
    "workers",
    "timeout_seconds",
    "max_connections",
    "retries",
    "cache_mb",
    "tls",
    "verbose",
    "networks",
    "plugins",
    "labels",
    "limits",
    "settings",
];

/// All components.
pub(super) fn generate_all_components() -> Vec<InventoryComponent> {
    let names = BASE_COMPONENTS.into_iter().chain(COMPONENTS_BY_ROLE_BRANCH.into_iter().flatten());
    names
        .enumerate()
        .map(|(index, name)| InventoryComponent { name, parameters: parameters(index, name) })
        .collect()
}

fn parameters(index: usize, name: &str) -> Vec<InventoryParameter> {
    // Endpoints refer to ports and upstreams to endpoints, so no reference leads back to itself.
    let upstream = BASE_COMPONENTS[(index + 1) % BASE_COMPONENTS.len()];
    let banner = if index.is_multiple_of(2) {
        format!("{name} on ${{server.name}}")
    } else {
        format!("this is {name}")
    };
    let number = index as u64;
    let plain = |key, kind, default| InventoryParameter { key, kind, merge: "", default };
    let merged = |key, kind, merge, default| InventoryParameter { key, kind, merge, default };
    vec![
        plain("contact", "string", json!("operations@example.org")),
        plain("title", "string", json!(format!("The {name} of this server"))),
        plain("user", "string", json!(name)),
        plain("data_dir", "path", json!(format!("/var/lib/{name}"))),
        plain("log_level", "string", json!("info")),
        plain("banner", "string", json!(banner)),
        plain("endpoint", "string", json!(format!("http://${{server.name}}:${{{name}.port}}/"))),
        plain("upstream", "string", json!(format!("${{{upstream}.endpoint}}"))),
        plain("port", "port", json!(2000 + 10 * number)),
        plain("workers", "integer", json!(2 + number % 7)),
        plain("timeout_seconds", "integer", json!(30)),
        plain("max_connections", "integer", json!(100 + number)),
        plain("retries", "integer", json!(3)),
        plain("cache_mb", "integer", json!(64)),
        plain("enabled", "boolean", json!(true)),
        plain("tls", "boolean", json!(index.is_multiple_of(3))),
        plain("verbose", "boolean", json!(false)),
        merged("networks", "string-list", "append", json!(["10.0.0.0/8", "192.168.0.0/16"])),
        merged("plugins", "string-list", "append", json!(["core"])),
        merged("labels", "map", "deep", json!({"component": name, "team": "operations"})),
        merged(
            "limits",
            "map",
            "deep",
            json!({"cpu": {"soft": 1, "hard": 2}, "memory": {"soft": 256, "hard": 512}}),
        ),
        merged(
            "settings",
            "map",
            "deep",
            json!({"mode": "normal", "log": {"format": "text", "rotate": true}}),
        ),
    ]
}

/// What `place` sets `component.key` to. List items and most map entries carry the place's name, so that no two
/// places add the same item.
pub(super) fn generate_parameter_value(
    key: &str,
    component: &str,
    place: &str,
    numbers: &mut SeededNumberSequence,
) -> Value {
    let number = numbers.next_below(1000) as u64;
    match key {
        "contact" => json!(format!("{place}@example.org")),
        "title" => json!(format!("The {component} of {place}")),
        "log_level" => json!(numbers.pick_one(&["debug", "info", "warning", "error"])),
        "banner" => json!(format!("${{server.name}} runs {component} at ${{{component}.port}} for {place}")),
        "upstream" => json!(format!("${{{}.endpoint}}", numbers.pick_one(&BASE_COMPONENTS))),
        "port" => json!(10_000 + number),
        "workers" => json!(1 + number % 32),
        "tls" | "verbose" => json!(number.is_multiple_of(2)),
        "networks" => json!([format!("{place}.internal"), format!("{place}.example.org")]),
        "plugins" => json!([format!("{component}-for-{place}")]),
        "labels" => json!({place: format!("label-{number}"), "team": format!("team-{}", number % 20)}),
        "limits" => json!({"memory": {"hard": 512 + number}, "files": {place: number}}),
        "settings" => json!({"log": {"format": "json", place: true}, "mode": format!("mode-{}", number % 5)}),
        _ => json!(number),
    }
}
