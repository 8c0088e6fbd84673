//! Generated reference documents, committed and kept equal to the code. `UPDATE=1` writes them anew.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::control_plane::{ControlPlane, program, result_of};

#[track_caller]
fn equals(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    #[expect(clippy::disallowed_methods, reason = "the tests' own switch")]
    if std::env::var("UPDATE").is_ok() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/reference/{file} is not what the code says; run the test with UPDATE=1");
}

#[test]
fn committed_api_description_is_the_generated_one() {
    equals("openapi.json", &result_of(program().arg("openapi").output().unwrap()).ok());
}

#[test]
fn committed_command_reference_is_the_generated_one() {
    let help = |arguments: &[&str]| result_of(program().args(arguments).arg("--help").output().unwrap()).ok();
    let whole = help(&[]);
    let verbs =
        whole.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs = verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help");
    let mut text =
        format!("# `geppetto`\n\nGenerated from the program; do not edit.\n\n```text\n{whole}```\n");
    for verb in verbs {
        text.push_str(&format!("\n## `geppetto {verb}`\n\n```text\n{}```\n", help(&[verb])));
    }
    equals("cli-geppetto.md", &text);
}

#[test]
fn operation_ids_of_the_api_description_are_unique() {
    let text = result_of(program().arg("openapi").output().unwrap()).ok();
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    let operations = description["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let mut seen = BTreeSet::new();
    for operation in operations {
        let id = operation["operationId"].as_str().expect("every operation has an id");
        assert!(seen.insert(id.to_owned()), "two operations have the id `{id}`");
    }
    assert!(!seen.is_empty());
}

#[test]
fn references_in_the_api_description_resolve_and_refusals_have_the_problem_media_type() {
    let text = result_of(program().arg("openapi").output().unwrap()).ok();
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut references = 0;
    for part in text.split("\"$ref\":").skip(1) {
        let reference = part.split('"').nth(1).unwrap();
        let target = description.pointer(reference.strip_prefix('#').unwrap());
        assert!(target.is_some(), "{reference} leads nowhere");
        references += 1;
    }
    assert!(references > 100, "{references}");
    let operations = description["paths"].as_object().unwrap().values();
    for operation in operations.flat_map(|path| path.as_object().unwrap().values()) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['4', '5']) {
                let media: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
                assert_eq!(media, ["application/problem+json"], "{} {status}", operation["operationId"]);
            }
        }
    }
}

#[test]
fn every_operation_of_the_api_description_says_its_refusals_and_the_bounds_of_its_numbers() {
    let text = result_of(program().arg("openapi").output().unwrap()).ok();
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut expected = vec!["500", "503"];
            if operation["requestBody"]["content"]["application/json"].is_object() {
                expected.extend(["400", "413", "415", "422"]);
            }
            if operation["security"].is_null() {
                expected.extend(["401", "403"]);
            }
            if path.contains('{') {
                expected.push("404");
            }
            if method != "get" {
                expected.push("507");
            }
            for status in expected {
                assert!(operation["responses"][status].is_object(), "{method} {path} says what {status} is");
            }
        }
    }
    let upload = &description["paths"]["/api/v1/packages/{file}"]["put"]["requestBody"]["content"];
    for media_type in ["application/x-rpm", "application/octet-stream"] {
        assert_eq!(upload[media_type]["schema"], serde_json::json!({"type": "string", "format": "binary"}));
    }
    let mut open = vec![&description];
    let mut numbers = 0;
    while let Some(value) = open.pop() {
        if value["minimum"] == 0 || value["minimum"] == 1 {
            assert!(value["maximum"].is_number(), "{value} has no maximum");
            numbers += 1;
        }
        open.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
    assert!(numbers > 50, "{numbers}");
}

#[test]
fn access_levels_of_the_reference_are_those_of_the_code_weakest_first() {
    let plane = ControlPlane::start();
    let message = plane.punch(&["token", "create", "a", "--grant", "nobody"]).failed(1);
    let (_, levels) = message.split_once("where LEVEL is ").expect(&message);
    let (levels, _) = levels.split_once(" and `*`").expect(&message);
    let levels: Vec<&str> = levels.split(", ").flat_map(|levels| levels.split(" or ")).collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/access.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, rows) = page.split_once("| level | may, besides what the one before may |").unwrap();
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let described: Vec<&str> = rows.map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert_eq!(described, levels);
}
