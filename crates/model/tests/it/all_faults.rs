//! One fault of a file does not hide the others: all are reported in one reading, each with its line.

use std::collections::BTreeMap;

use model::{
    deployment_manifest::lint_manifest_yaml,
    fault::Fault,
    format::{FormatError, component, environment, estate, group, role, server, yaml},
};

fn lines(errors: Vec<FormatError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// The faults of a component whose description goes on with these lines, from line 6 on.
fn of_component(further: &str) -> Vec<String> {
    let text = format!(
        "format: geppetto/component/1\nname: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\n{further}"
    );
    lines(component::parse_component_yaml("component.yaml", &text).unwrap_err())
}

#[track_caller]
fn assert_faults(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "`{expected}` is not in `{found}`");
    }
}

#[test]
fn unknown_keys_and_wrong_values_of_a_component_are_reported_together() {
    let found = of_component(
        "licence: MIT\nbuild: 42\nlaunch:\n  comand: x\n  command: 4.5\n  user: shop\nreplaces: /etc/shop\nurl: \"\"\n",
    );
    assert_faults(
        &found,
        &[
            "component.yaml:6: unknown key `licence`; did you mean `license`?",
            "component.yaml:7: expected a command",
            "component.yaml:9: unknown key `comand`; did you mean `command`?",
            "component.yaml:10: expected a command",
            "component.yaml:12: expected a list (`[a, b]`), found the text \"/etc/shop\"",
            "component.yaml:13: `url`",
        ],
    );
}

#[test]
fn several_wrong_values_in_one_flow_map_are_reported_together() {
    let found = of_component(
        "parameters:\n  size: {type: integr, description: x, max: many, required: perhaps}\n  port: {type: port, descripton: x}\n",
    );
    assert_faults(
        &found,
        &[
            "component.yaml:7: unknown word `integr`; did you mean `integer`?",
            "component.yaml:7: expected a whole number, found the text \"many\"",
            "component.yaml:7: expected `true` or `false`, found the text \"perhaps\"",
            "component.yaml:8: unknown key `descripton`; did you mean `description`?",
        ],
    );
}

#[test]
fn wrong_entries_of_a_list_are_reported_each_with_its_line() {
    let found = of_component(
        "files:\n  - path: /usr/bin/a\n    source: a\n    mode: 644\n  - {path: /usr/bin/b, sorce: b}\n  - path: [c]\n    source: c\n  - /usr/bin/d\n",
    );
    assert_faults(
        &found,
        &[
            "component.yaml:9: expected permissions as three or four octal digits in quotes",
            "component.yaml:10: unknown key `sorce`; did you mean `source`?",
            "component.yaml:11: expected a text, found a list",
            "component.yaml:13: expected a map (`key: value`), found the text \"/usr/bin/d\"",
            "the entry of `files` for `/usr/bin/b` must have exactly one of",
        ],
    );
}

#[test]
fn required_key_that_is_wrong_or_missing_does_not_hide_the_rest() {
    let text = "format: geppetto/component/1\nversion: [1, 0]\nkind: webservice\nsumary: A shop\nbuild: []\n";
    assert_faults(
        &lines(component::parse_component_yaml("component.yaml", text).unwrap_err()),
        &[
            "component.yaml:2: expected a text, found a list",
            "component.yaml:3: unknown word `webservice`; did you mean `web-service`?",
            "component.yaml:4: unknown key `sumary`; did you mean `summary`?",
            "`name` is missing",
            "component.yaml:5: `build` is empty",
        ],
    );
    let text = "format: geppetto/component/1\nname: shop\nversion: 1.0\nbuild: []\n";
    assert_faults(
        &lines(component::parse_component_yaml("component.yaml", text).unwrap_err()),
        &["the key `kind` is missing", "the key `summary` is missing", "component.yaml:4: `build` is empty"],
    );
}

#[test]
fn value_of_which_all_entries_are_wrong_is_reported_once() {
    let found = of_component("launch:\n  comand: x\n  usr: shop\nschedule:\n  daily: x\n");
    assert_faults(
        &found,
        &[
            "component.yaml:7: unknown key `comand`; did you mean `command`?",
            "component.yaml:8: unknown key `usr`; did you mean `user`?",
            "component.yaml:10: unknown key `daily`",
        ],
    );
}

#[test]
fn broken_yaml_after_wrong_values_is_reported_as_broken_yaml_only() {
    for before in ["", "licence: MIT\n", "build: 42\n", "kind: 5\n", "files: {}\n"] {
        let found = of_component(&format!("{before}labels: [x\n"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("this is not YAML"), "{found:#?}");
    }
}

#[test]
fn faults_of_a_role_are_reported_together() {
    let text = "format: geppetto/role/1\ninherits: base\ncomponets: {}\ncomponents:\n  shop: \">=banana\"\n  web: \"1.0\"\nvalues:\n  Shop: {a: 1}\n  shop: 5\nremove: [shop..x]\n";
    assert_faults(
        &lines(role::parse_role_yaml("roles/web.yaml", text).unwrap_err()),
        &[
            "roles/web.yaml:2: expected a list (`[a, b]`), found the text \"base\"",
            "roles/web.yaml:3: unknown key `componets`; did you mean `components`?",
            "roles/web.yaml:5: ",
            "roles/web.yaml:8: ",
            "roles/web.yaml:9: expected a map (`key: value`), found a single value",
            "roles/web.yaml:10: ",
        ],
    );
}

#[test]
fn faults_of_an_environment_a_server_and_a_group_are_reported_together() {
    let text =
        "format: geppetto/environment/1\nchannel: [prod]\nreadable_form: [dev]\nversions: {shop: \">=\"}\n";
    assert_faults(
        &lines(environment::parse_environment_yaml("environments/prod.yaml", text).unwrap_err()),
        &[
            "environments/prod.yaml:2: expected ",
            "environments/prod.yaml:3: unknown key `readable_form`; did you mean `readable_from`?",
            "environments/prod.yaml:4: ",
        ],
    );
    let text = "format: geppetto/server/2\nroles: [web, web]\naddresses: [10.0.0.300, 10.0.0.1]\nmacs:\n  - aa:bb\nlabels: {rack: [1]}\n";
    assert_faults(
        &lines(server::parse_server_yaml("servers/a.yaml", text).unwrap_err()),
        &[
            "servers/a.yaml:3: ",
            "servers/a.yaml:5: ",
            "servers/a.yaml:6: ",
            "the key `environment` is missing",
            "`roles` lists `web` twice",
        ],
    );
    let text = "format: geppetto/group/1\nvalue: {}\ncomponents: [shop]\n";
    assert_faults(
        &lines(group::parse_group_yaml("groups/a.yaml", text).unwrap_err()),
        &["groups/a.yaml:2: unknown key `value`", "groups/a.yaml:3: expected a map"],
    );
}

#[test]
fn faults_of_all_files_of_an_estate_are_reported_together() {
    let documents = BTreeMap::from([
        ("roles/a.yaml".to_owned(), "format: geppetto/role/1\ninherit: [b]\nremove: x\n".to_owned()),
        ("servers/b.yaml".to_owned(), "format: geppetto/server/2\nenvironment: 5\nrole: [a]\n".to_owned()),
    ]);
    assert_faults(
        &lines(estate::parse_estate_yaml(&documents).unwrap_err()),
        &["roles/a.yaml:2: ", "roles/a.yaml:3: ", "servers/b.yaml:2: ", "servers/b.yaml:3: "],
    );
}

fn of_manifest(resources: &str) -> Vec<String> {
    let component = yaml::parse_yaml(
        "component.yaml",
        "name: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\nparameters:\n  port: {type: port, description: x}\n",
    );
    let text = format!("format: geppetto/manifest/1\nresources:\n{resources}");
    let faults = lint_manifest_yaml("manifest.yaml", &text, &BTreeMap::new(), &component.unwrap());
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn faults_of_a_manifest_are_reported_together() {
    let found = of_manifest(
        "  - file: /etc/a\n    content: \"{{ prt }}\"\n    modee: \"0644\"\n    ownr: x\n  - file: /etc/b\n    content: x\n    mode: \"0999\"\n  - service: shop\n    running: perhaps\n    require: [\"file:/etc/c\"]\n",
    );
    assert_faults(
        &found,
        &[
            "manifest.yaml:5: a `file` has no field `modee`; did you mean `mode`?",
            "manifest.yaml:6: a `file` has no field `ownr`; did you mean `owner`?",
            "manifest.yaml:4: `prt` is no parameter of this component; did you mean `port`?",
            "manifest.yaml:12: this manifest has no `file:/etc/c`; did you mean `file:/etc/a`?",
            "manifest.yaml:9: file /etc/b: `mode` must be",
            "manifest.yaml:11: ",
        ],
    );
    let found = of_manifest("  - fiel: /etc/a\n  - user: shop\n    homme: /x\n  - {notify: 5}\n");
    assert_faults(
        &found,
        &[
            "manifest.yaml:3: `fiel` is no kind of resource; did you mean `file`?",
            "manifest.yaml:5: a `user` has no field `homme`; did you mean `home`?",
            "manifest.yaml:6: one of these keys must name the resource",
        ],
    );
}

#[test]
fn at_most_twenty_faults_of_a_file_are_reported() {
    let keys: String = (0..2000).map(|number| format!("wrong_{number}: {number}\n")).collect();
    assert_eq!(of_component(&keys).len(), 20);
}
