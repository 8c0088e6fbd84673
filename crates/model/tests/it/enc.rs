//! The external node classifier's answer, read by the YAML of Ruby, which is Puppet's.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use model::{
    name::{Key, Name},
    node::{Node, NodeComponent, NodeValue},
    resolve::node_to_enc_yaml,
    value::Value,
    version::Version,
};

use crate::skip::has_tool;

/// Texts that YAML 1.1, or Ruby's reader of it, takes for something else when they are not quoted.
const TRICKY_TEXTS: [&str; 34] = [
    "80,443",
    "1_000",
    "017",
    "0o17",
    "0x1F",
    "0b11",
    "12:30:45",
    "1e3",
    "1.5",
    ".inf",
    "-.INF",
    ".NaN",
    "2001-01-01",
    "2001-01-01 10:00:00 +1",
    "no",
    "No",
    "off",
    "y",
    "true",
    "~",
    "null",
    "",
    "=",
    "<<",
    ":symbol",
    ": a",
    "a: b",
    "a #b",
    "- a",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
];

#[test]
fn ruby_reads_every_value_as_it_was() {
    if !has_tool("ruby") {
        return;
    }
    let texts = TRICKY_TEXTS.into_iter().chain([
        " lead",
        "trail ",
        "tab\t",
        "two\nlines\n",
        "quote \" and \\",
        "'",
        "é \u{85}\u{2028}\u{feff}",
        "\u{1f980}",
        "\u{7}",
    ]);
    let list = Value::List(texts.map(Value::from).collect());
    let map = TRICKY_TEXTS.into_iter().map(|text| (text.to_owned(), Value::from(text))).collect();
    let all = [
        ("texts", list),
        ("map", Value::Map(map)),
        ("number", Value::Number(0.1)),
        ("whole", Value::Number(2.0)),
        ("integer", Value::Integer(i64::MIN)),
        ("flag", Value::Boolean(true)),
        ("nothing", Value::Null),
    ];
    let value = |value: &Value| {
        Arc::new(NodeValue { value: Arc::new(value.clone()), secret: false, provenance: Arc::default() })
    };
    let component = NodeComponent {
        version: Version::new("1.0", Some("1")).unwrap(),
        kind: None,
        payload: None,
        deployment: None,
        requirements: Arc::default(),
        values: all.iter().map(|(key, of_key)| (Key::new(key).unwrap(), value(of_key))).collect(),
    };
    let node = Node {
        server: "web-01".parse().unwrap(),
        environment: Name::new("prod").unwrap(),
        channel: Name::new("prod").unwrap(),
        epoch: 1,
        generation: 7,
        components: BTreeMap::from([(Name::new("shop").unwrap(), Arc::new(component))]),
    };
    let read = read_by_ruby(&node_to_enc_yaml(&node));
    assert_eq!(read["environment"], "prod");
    for (key, value) in all {
        assert_eq!(read["classes"]["shop"][key], serde_json::to_value(&value).unwrap(), "{key}");
    }
}

/// What Ruby makes of a text of YAML, as Puppet reads what a classifier prints.
fn read_by_ruby(text: &str) -> serde_json::Value {
    let program = "require 'yaml'; require 'json'; \
                   puts JSON.generate(YAML.safe_load(STDIN.set_encoding('UTF-8').read, permitted_classes: [Symbol]))";
    let mut ruby = Command::new("ruby")
        .args(["-e", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ruby.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let answer = ruby.wait_with_output().unwrap();
    assert!(answer.status.success(), "{}\n{text}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).unwrap()
}
