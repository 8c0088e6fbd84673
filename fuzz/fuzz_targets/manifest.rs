//! A deployment manifest: checked, and evaluated with values of every type.
#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use model::{
    component::Component,
    deployment_manifest::{
        DeploymentFilesByPath, ManifestVariables, evaluate_manifest, lint_manifest_yaml, parse_manifest_yaml,
    },
    format::node::parse_node_yaml,
    node::Node,
    observe::OsFamily,
};

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    serde_json::from_str(
        r#"{"name": "shop", "version": "1.0.0", "kind": "web-service", "summary": "a shop"}"#,
    )
    .expect("a description")
});

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let text = "format: geppetto/node/1\ncomponents:\n  shop:\n    version: 1.0.0\n    values:\n      port: 80\n      name: a shop\n      names: [a, b]\n      map: {a: 1, b: {c: true}}\n";
    parse_node_yaml("node.yaml", text).expect("a node file")
});

fuzz_target!(|text: &str| {
    let files = DeploymentFilesByPath::from([("shop.conf.j2".to_owned(), b"port={{ port }}\n".to_vec())]);
    let _ = lint_manifest_yaml("manifest.yaml", text, &files, &COMPONENT);
    let Ok(manifest) = parse_manifest_yaml("manifest.yaml", text) else { return };
    let values = &NODE.components.values().next().expect("a component").values;
    let variables = ManifestVariables {
        server: "web-01",
        environment: "prod",
        component: &COMPONENT,
        values,
        others: BTreeMap::new(),
        family: Some(OsFamily::Deb),
    };
    let _ = evaluate_manifest(&manifest, &files, &variables);
});
