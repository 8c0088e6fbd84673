//! Hostile input: refused quickly, in one clear sentence, without a crash.

use std::time::{Duration, Instant};

use model::format::{node, role, yaml};

/// Reads `text` as a role; asserts that it is refused with `sentence`, soon.
#[expect(clippy::disallowed_methods, reason = "the test is about the time it takes")]
fn refused(text: &str, sentence: &str) {
    // Unoptimised and beside other work; what is to be caught takes hours or all memory.
    let start = Instant::now();
    let error = role::parse_role_yaml("roles/web.yaml", text).unwrap_err()[0].to_string();
    assert!(error.contains(sentence), "{error}");
    assert!(error.len() < 500, "{} bytes of error", error.len());
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
}

fn role(values: &str) -> String {
    format!("format: geppetto/role/1\nvalues:\n  shop:\n{values}")
}

#[test]
fn exponential_alias_expansion_is_refused() {
    let mut text = String::from("    a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..10 {
        let item = format!("*a{}", level - 1);
        text.push_str(&format!("    a{level}: &a{level} [{}]\n", [item.as_str(); 9].join(", ")));
    }
    refused(&role(&text), "write the values out");
}

#[test]
fn merge_keys_cannot_be_used_as_a_bomb_either() {
    let mut text = String::from("    m0: &m0 {a: 1, b: 2}\n");
    for level in 1..30 {
        let below = level - 1;
        text.push_str(&format!("    m{level}: &m{level} {{x: *m{below}, y: *m{below}, <<: *m{below}}}\n"));
    }
    refused(&role(&text), "write the values out");
}

#[test]
fn alias_to_itself_is_refused() {
    refused(&role("    a: &a [*a]\n"), "roles/web.yaml:4: ");
}

#[test]
fn too_deeply_nested_collections_are_refused_in_every_notation() {
    let deep = 100_000;
    refused(&role(&format!("    a: {}\n", "[".repeat(deep))), "nested more than");
    refused(&role(&format!("    a: {}1{}\n", "[".repeat(deep), "]".repeat(deep))), "nested more than");
    refused(&role(&format!("    a: {}1{}\n", "{a: ".repeat(deep), "}".repeat(deep))), "nested more than");
    refused(&role(&format!("    a:\n      {}1\n", "- ".repeat(deep))), "nested more than");
    refused(&role(&format!("    a:\n      {}1\n", "? ".repeat(deep))), "nested more than");
    let stairs: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(4 + depth))).collect();
    refused(&role(&stairs), "nested more than");
}

#[test]
fn nesting_at_the_maximum_depth_is_read() {
    let deep = yaml::MAX_YAML_DEPTH - 3;
    let text = role(&format!("    a: {}1{}\n", "[".repeat(deep), "]".repeat(deep)));
    assert!(role::parse_role_yaml("roles/web.yaml", &text).is_ok());
}

#[test]
fn scalar_over_the_size_limit_is_refused() {
    refused(&role(&format!("    a: \"{}\"\n", "x".repeat(100 << 20))), "at most 8388608 are read");
}

#[test]
fn duplicate_keys_and_too_many_entries_are_refused() {
    refused(&role(&"    a: 1\n".repeat(200_000)), "is written twice");
    let keys: String = (0..500_000).map(|at| format!("    k{at}: 1\n")).collect();
    refused(&role(&keys), "far more than people write");
    refused(&role(&format!("    a: [{}]\n", "1,".repeat(1_000_000))), "far more than people write");
}

#[test]
fn control_characters_and_broken_ends_are_refused_with_a_line() {
    refused(&role("    a: \"\u{0}\"\n"), "roles/web.yaml:4: ");
    refused(&role("    a: \"\u{1b}[2J\"\n"), "roles/web.yaml:4: ");
    refused(&role("    a: \"no end\n"), "roles/web.yaml:");
    refused("", "its first line must be `format: geppetto/role/1`");
    refused("\u{feff}", "its first line must be `format: geppetto/role/1`");
    refused("{", "roles/web.yaml:1: ");
    refused("%YAML 9.9\n---\na\n", "roles/web.yaml");
    refused("!!binary aGVsbG8=", "roles/web.yaml");
    refused("format: geppetto/role/1\nvalues: !!python/object:os.system {}\nroles: 1", "unknown key `roles`");
}

#[test]
fn truncated_or_damaged_node_file_does_not_panic() {
    let good = "format: geppetto/node/1\nserver: web-01\ngeneration: 3\ncomponents:\n  shop:\n    version: 1.0-1\n    \
                values: {a: [1, {b: \"c\"}], t: |\n      x\n      y\n    }\n    voices:\n      a: [{place: role web, counts: true}]\n";
    for end in 0..good.len() {
        let _ = node::parse_node_yaml("node.yaml", &good[..end]);
    }
    for at in 0..good.len() {
        for byte in [b'\t', b'{', b'}', b'[', b'&', b'*', b'!', b'|', b':', b'-', b'\n', b'"', b'%', b'@'] {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = node::parse_node_yaml("node.yaml", &text);
            }
        }
    }
}

#[test]
fn broken_value_under_a_key_outside_ascii_is_an_error() {
    for text in ["ü: `", "größe: `x", "format: geppetto/role/1\nÜ: @"] {
        assert!(role::parse_role_yaml("roles/web.yaml", text).is_err(), "{text}");
    }
}

#[test]
fn errors_of_a_file_never_repeat_a_value_which_may_be_a_secret() {
    for text in [
        role("    - hunter2\n"),
        "format: geppetto/role/1\nvalues: hunter2\n".to_owned(),
        "format: geppetto/role/1\nvalues: {shop: hunter2}\n".to_owned(),
        "format: geppetto/role/1\ninherits: {hunter2: 1}\n".to_owned(),
        role("    password: hunter2: x\n"),
        role("    password: \"hunter2\n"),
        role("    password: 'hunter2' x\n"),
        role("    password: *hunter2\n"),
        role("    password: @hunter2\n"),
        role("    password: %hunter2\n"),
        "format: geppetto/node/1\ncomponents: {shop: {version: 1, values: hunter2}}".to_owned(),
        "format: geppetto/node/1\ngeneration: hunter2\ncomponents: {}".to_owned(),
    ] {
        let mut errors = role::parse_role_yaml("f.yaml", &text).unwrap_err();
        errors.push(node::parse_node_yaml("f.yaml", &text).unwrap_err());
        for error in errors {
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
