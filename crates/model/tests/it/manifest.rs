//! Manifests: what is read, what is refused with which sentence, what lint finds.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    component::Component,
    deployment_manifest::{self, DeploymentFilesByPath, ManifestVariables},
    health::HealthProbe,
    name::Key,
    node::{NodeValue, ValuesOfNodeComponent},
    resource::{Resource, ResourceBody},
    value::Value,
};

fn component(parameters: &str) -> Component {
    let json = format!(
        r#"{{"name": "shop", "version": "1.0-1", "kind": "web-service", "summary": "x", "parameters": {parameters}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

const PARAMETERS: &str = r#"{
    "http_port": {"type": "port", "description": "where it listens"},
    "users": {"type": "list", "description": "who may log in"},
    "password": {"type": "string", "description": "of the database", "secret": true}
}"#;

fn values(pairs: &[(&str, Value, bool)]) -> ValuesOfNodeComponent {
    let value = |value: &Value, secret| {
        Arc::new(NodeValue { value: Arc::new(value.clone()), secret, provenance: Arc::default() })
    };
    pairs.iter().map(|(key, text, secret)| (Key::new(key).unwrap(), value(text, *secret))).collect()
}

fn evaluate(
    text: &str,
    files: &DeploymentFilesByPath,
    values: &ValuesOfNodeComponent,
) -> Result<deployment_manifest::EvaluatedManifest, Vec<String>> {
    let manifest = deployment_manifest::parse_manifest_yaml("manifest.yaml", text)
        .map_err(|error| vec![error.to_string()])?;
    let component = component(PARAMETERS);
    let scope = ManifestVariables {
        server: "web-01",
        environment: "prod",
        component: &component,
        values,
        others: BTreeMap::new(),
        family: None,
    };
    deployment_manifest::evaluate_manifest(&manifest, files, &scope)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn refused(entry: &str) -> String {
    let text = format!("format: geppetto/manifest/1\nresources:\n  - {entry}\n");
    evaluate(&text, &DeploymentFilesByPath::new(), &ValuesOfNodeComponent::default()).unwrap_err().join("\n")
}

fn resources(text: &str) -> Vec<Resource> {
    let user = |name: &str| Value::Map([("name".to_owned(), Value::from(name))].into());
    let values = values(&[
        ("http_port", Value::Integer(8080), false),
        ("users", Value::List(vec![user("ann"), user("bob")]), false),
        ("password", Value::from("hunter2"), true),
    ]);
    let files = DeploymentFilesByPath::from([
        ("a.j2".to_owned(), b"{{ password }}".to_vec()),
        ("b".to_owned(), vec![0, 255]),
    ]);
    evaluate(&format!("format: geppetto/manifest/1\nresources:\n{text}"), &files, &values).unwrap().resources
}

#[test]
fn yaml_in_a_value_stays_text() {
    let values = values(&[("http_port", Value::from("x\n  - file: /etc/shadow"), false)]);
    let text = "format: geppetto/manifest/1\nresources: [{file: /a, content: \"{{ http_port }}\"}]\n";
    let evaluated = evaluate(text, &DeploymentFilesByPath::new(), &values).unwrap();
    assert_eq!(evaluated.resources.len(), 1);
    let ResourceBody::File(file) = &evaluated.resources[0].body else { unreachable!() };
    assert_eq!(file.content, b"x\n  - file: /etc/shadow");
}

#[test]
fn each_makes_one_resource_for_each_item_and_when_leaves_out() {
    let made = resources(
        "
  - user: \"{{ item.name }}\"
    each: \"{{ users }}\"
    when: \"{{ item.name != 'bob' }}\"
  - group: never
    when: \"{{ http_port == 80 }}\"
  - group: staff
",
    );
    let names: Vec<String> = made.iter().map(|resource| resource.id.to_string()).collect();
    assert_eq!(names, ["user:ann", "group:staff"]);
}

#[test]
fn content_of_one_hole_and_a_line_break_is_a_line_of_text() {
    let made = resources(
        "
  - file: /etc/a
    content: |
      {{ http_port }}
  - {file: /etc/b, content: \"{{ http_port }}\\n\\n\", validate: [try, \"--file=%\"]}
  - {file: /etc/c, content: \" {{ http_port }} \"}
",
    );
    let contents: Vec<&[u8]> = made
        .iter()
        .map(|resource| match &resource.body {
            ResourceBody::File(file) => file.content.as_slice(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(contents, [b"8080\n".as_slice(), b"8080\n\n", b"8080"]);
    let ResourceBody::File(file) = &made[1].body else { unreachable!() };
    assert_eq!(file.validate, Some(vec!["try".to_owned(), "--file=%".to_owned()]));
}

#[test]
fn resources_that_use_a_secret_are_secret() {
    let made = resources(
        "
  - {template: /etc/a, source: a.j2}
  - {file: /etc/b, source: b}
  - {file: /etc/c, content: \"{% set p = password %}{{ p }}\"}
  - {file: /etc/d, content: \"{% if false %}{{ password }}{% endif %}\"}
  - {file: /etc/e, content: the word password alone}
  - {exec: e, command: [/bin/login], environment: {PASSWORD: \"{{ password }}\"}, creates: /x}
",
    );
    let secret: Vec<bool> = made.iter().map(|resource| resource.secret).collect();
    assert_eq!(secret, [true, false, true, true, false, true]);
}

#[test]
fn secret_in_the_arguments_of_a_program_is_refused_and_environment_is_named() {
    let values = values(&[
        ("http_port", Value::Integer(8080), false),
        ("password", Value::from("hunter2"), true),
        ("users", Value::List(vec![Value::from("hunter2")]), true),
    ]);
    for (field, entry) in [
        ("command", "{exec: a, command: [/bin/login, \"{{ password }}\"], creates: /x}"),
        ("command", "{exec: a, command: [/bin/login, \"{{ item }}\"], creates: /x, each: \"{{ users }}\"}"),
        ("unless", "{exec: a, command: [/bin/login], unless: [/bin/test, \"{{ password }}\"]}"),
        ("only_if", "{exec: a, command: [/bin/login], only_if: [/bin/test, \"x{{ password }}\"]}"),
        ("command", "{cron: a, schedule: \"@daily\", command: \"/bin/login {{ password }}\"}"),
    ] {
        let text = format!("format: geppetto/manifest/1\nresources:\n  - {entry}\n");
        let found = evaluate(&text, &DeploymentFilesByPath::new(), &values).unwrap_err().join("\n");
        let because =
            format!("`{field}` has a secret in it, and every user of the host can read the arguments");
        assert!(found.contains(&because) && found.contains("under `environment:`"), "{entry}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
    let text = "format: geppetto/manifest/1\nresources: [{file: /a, content: a, validate: [try, \"{{ password }}\", \"%\"]}]\n";
    let found = evaluate(text, &DeploymentFilesByPath::new(), &values).unwrap_err().join("\n");
    assert!(found.contains("`validate` has a secret in it"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
    let text = "format: geppetto/manifest/1\nhealth: [{command: [/bin/ask, \"{{ password }}\"]}]\n";
    let found = evaluate(text, &DeploymentFilesByPath::new(), &values).unwrap_err().join("\n");
    assert!(found.contains("a secret cannot be among the words of a `command`"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn health_checks_are_read_and_filled_in() {
    let values = values(&[("http_port", Value::Integer(8080), false)]);
    let text = "
format: geppetto/manifest/1
health:
  - {http: \"http://127.0.0.1:{{ http_port }}/health\", contains: ok, within: 5}
  - tcp: \"127.0.0.1:{{ http_port }}\"
  - command: [/usr/lib/shop/check, \"{{ http_port }}\"]
";
    let health = evaluate(text, &DeploymentFilesByPath::new(), &values).unwrap().health;
    let shown: Vec<String> = health.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "http http://127.0.0.1:8080/health answers 200",
            "tcp 127.0.0.1:8080 accepts",
            "command /usr/lib/shop/check 8080 succeeds",
        ]
    );
    assert!(matches!(&health[0].probe, HealthProbe::Http { contains: Some(text), .. } if text == "ok"));
    assert_eq!(health[0].within, 5);
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_to_write() {
    for (entry, message) in [
        ("{fiel: /etc/x}", "manifest.yaml:3: `fiel` is no kind of resource; did you mean `file`?"),
        (
            "{file: /etc/x, onwer: root}",
            "manifest.yaml:3: a `file` has no field `onwer`; did you mean `owner`?",
        ),
        (
            "{file: /etc/../x}",
            "manifest.yaml:3: file /etc/../x: `/etc/../x` must be a path without `..`, `.`, `//`, control characters or a final `/`",
        ),
        (
            "{file: /x, content: a, source: b}",
            "manifest.yaml:3: its source `b` is not among the templates; add it as deploy/templates/b",
        ),
        (
            "{file: /x, mode: 644}",
            "manifest.yaml:3: file /x: `mode` must be octal digits (0 to 7) in quotes, for instance \"0644\", not the whole number 644",
        ),
        ("{user: \"-rf\"}", "manifest.yaml:3: user -rf: this is no name for a user"),
        (
            "{cron: a.b, schedule: \"@daily\", command: /x}",
            "manifest.yaml:3: cron a.b: this is no name for a cron",
        ),
        (
            "{cron: a, schedule: often, command: /x}",
            "manifest.yaml:3: cron a: `schedule` must be five fields (`5 * * * *`: minute, hour, day of the month, month, day of the week) or a word such as @daily; this has 1",
        ),
        (
            "{cron: a, schedule: 0 25 * * *, command: /x}",
            "manifest.yaml:3: cron a: `schedule` has `25` for the hour, where cron takes numbers from 0 to 23",
        ),
        ("{cron: a, command: /x}", "manifest.yaml:3: cron a: `schedule` is missing"),
        (
            "{exec: a, command: [/x]}",
            "manifest.yaml:3: exec a: without a guard it would run every time; give it `creates`, `unless`, `only_if` or `refresh_only: true`",
        ),
        (
            "{exec: a, command: rm -rf, creates: /x}",
            "manifest.yaml:3: exec a: `command` must be a list: program and arguments, the program with its absolute path, not the text \"rm -rf\"",
        ),
        (
            "{service: a, present: false}",
            "manifest.yaml:3: service a: it cannot be absent; write `enabled: false` and `running: false` for a service",
        ),
        (
            "{file: /x, notify: [shop]}",
            "manifest.yaml:3: file /x: notify: `shop` does not name a resource: write KIND:NAME, for instance `service:shop`",
        ),
        (
            "{file: /x, content: a, validate: [haproxy, -c]}",
            "manifest.yaml:3: file /x: `validate` has no `%` in its arguments; write it where the program reads the path of the new content, for instance `[haproxy, -c, -f, \"%\"]`",
        ),
        (
            "{file: /x, content: a, validate: visudo -cf %}",
            "manifest.yaml:3: file /x: `validate` must be a list: program and arguments, not the text \"visudo -cf %\"",
        ),
        (
            "{user: a, comment: \"x:0:0\"}",
            "manifest.yaml:3: user a: `comment`, `home` and `shell` cannot have a colon",
        ),
    ] {
        assert_eq!(refused(entry), message, "{entry}");
    }
}

#[test]
fn wrong_value_is_shown_with_its_type() {
    for (entry, message) in [
        (
            "{file: /x, mode: \"0999\"}",
            "`mode` must be octal digits (0 to 7) in quotes, for instance \"0644\", not the text \"0999\"",
        ),
        (
            "{exec: a, command: 42, creates: /x}",
            "the program with its absolute path, not the whole number 42",
        ),
        ("{exec: a, command: [rm, -r], creates: /x}", "absolute path, not the list [\"rm\",\"-r\"]"),
        (
            "{cron: a, schedule: [\"@daily\"], command: /x}",
            "`schedule` must be a text without line breaks, not the list [\"@daily\"]",
        ),
        ("{service: a, enabled: \"yes\"}", "`enabled` must be true or false, not the text \"yes\""),
        ("{user: a, uid: {b: 1}}", "`uid` must be a number from 0 to 4294967294, not the map {\"b\":1}"),
        ("{file: [/x]}", "`file` must be a text, the path or name of the file, not the list [\"/x\"]"),
        ("{group: a, each: 5}", "`each` must be a list, not the whole number 5"),
        ("{group: a, when: maybe}", "`when` must be true or false, not the text \"maybe\""),
    ] {
        let found = refused(entry);
        assert!(found.contains(message), "{entry}: {found}");
    }
    let health = |entry: &str| {
        let text = format!("format: geppetto/manifest/1\nhealth:\n  - {entry}\n");
        evaluate(&text, &DeploymentFilesByPath::new(), &ValuesOfNodeComponent::default())
            .unwrap_err()
            .join("\n")
    };
    assert!(health("{command: /bin/true}").contains("it is the text \"/bin/true\""));
    assert!(health("{tcp: 8080}").contains("it is the whole number 8080"));
    // What is no list of resources at all.
    let error = evaluate(
        "format: geppetto/manifest/1\nresources: 42\n",
        &DeploymentFilesByPath::new(),
        &ValuesOfNodeComponent::default(),
    )
    .unwrap_err();
    assert_eq!(error, ["manifest.yaml:2: expected a list (`[a, b]`), found the whole number 42"]);
}

#[test]
fn wrong_value_made_of_a_secret_is_not_shown() {
    let values = values(&[
        ("http_port", Value::Integer(8080), false),
        ("password", Value::from("hunter2"), true),
        ("users", Value::List(vec![Value::from("hunter2")]), true),
    ]);
    for entry in [
        "{service: a, enabled: \"{{ password }}\"}",
        "{file: /x, mode: \"{{ password }}\"}",
        "{file: /x, mode: \"a{{ password | upper }}\"}",
        "{exec: a, command: \"{{ users }}\", creates: /x}",
        "{group: a, when: \"{{ password }}\"}",
        "{group: a, each: \"{{ password }}\"}",
        "{group: a, gid: \"{{ item }}\", each: \"{{ users }}\"}",
    ] {
        let text = format!("format: geppetto/manifest/1\nresources:\n  - {entry}\n");
        let found = evaluate(&text, &DeploymentFilesByPath::new(), &values).unwrap_err().join("\n");
        assert!(!found.to_lowercase().contains("hunter2"), "{entry}: {found}");
        assert!(found.contains("that is secret and not shown"), "{entry}: {found}");
    }
    let text = "format: geppetto/manifest/1\nhealth:\n  - {tcp: \"{{ password }}\"}\n  - {command: \"{{ password }}\"}\n";
    let found = evaluate(text, &DeploymentFilesByPath::new(), &values).unwrap_err().join("\n");
    assert!(
        !found.contains("hunter2") && found.contains("it is a text that is secret and not shown"),
        "{found}"
    );
}

#[test]
fn invalid_manifest_is_refused_without_a_panic() {
    for text in [
        "",
        "[]",
        "format: geppetto/manifest/2\n",
        "format: geppetto/manifest/1\nresources: {a: 1}\n",
        "a: &a [*a]",
    ] {
        assert!(deployment_manifest::parse_manifest_yaml("manifest.yaml", text).is_err(), "{text}");
    }
    let deep =
        format!("format: geppetto/manifest/1\nresources: [{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert!(deployment_manifest::parse_manifest_yaml("manifest.yaml", &deep).is_err());
    let many = "format: geppetto/manifest/1\nresources:\n".to_owned() + &"  - {file: /x}\n".repeat(2001);
    assert!(
        deployment_manifest::parse_manifest_yaml("manifest.yaml", &many)
            .unwrap_err()
            .to_string()
            .contains("more than 2000")
    );
}

#[test]
fn lint_tells_what_would_fail_on_every_server() {
    let text = "
format: geppetto/manifest/1
resources:
  - {template: /etc/a, source: a.j2, notify: [service:shpo]}
  - {service: shop}
  - {file: /etc/b, content: \"{{ http_prot }}\"}
";
    let manifest = deployment_manifest::parse_manifest_yaml("manifest.yaml", text).unwrap();
    let files = DeploymentFilesByPath::from([
        ("a.j2".to_owned(), b"{{ nothing_like_it }}".to_vec()),
        ("unused.j2".to_owned(), Vec::new()),
    ]);
    let faults = deployment_manifest::lint_manifest(&manifest, &files, &component(PARAMETERS));
    assert_eq!((faults[3].file.as_deref(), faults[3].line), (Some("manifest.yaml"), Some(4)));
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "templates/a.j2: `nothing_like_it` is no parameter of this component; declare it under `parameters:` in component.yaml",
            "manifest.yaml:6: `http_prot` is no parameter of this component; did you mean `http_port`?",
            "templates/unused.j2: no resource uses it",
            "manifest.yaml:4: this manifest has no `service:shpo`; did you mean `service:shop`?",
        ]
    );
}

#[test]
fn manifest_schema_contains_every_kind() {
    let schema = deployment_manifest::manifest_json_schema().to_string();
    for word in
        ["file", "template", "directory", "symlink", "user", "group", "service", "cron", "package", "exec"]
    {
        assert!(schema.contains(&format!("\"required\":[\"{word}\"")), "{word}");
    }
}
