//! Common mistakes in YAML are explained in words that say what to write.

use model::format::{component, role};

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = role::parse_role_yaml("roles/web.yaml", text).unwrap_err()[0].to_string();
    assert_eq!(error, expected, "{text}");
}

fn role(values: &str) -> String {
    format!("format: geppetto/role/1\nvalues:\n  shop:\n{values}")
}

/// What is wrong with a parameter of type `integer` with these keys.
fn integer(keys: &str) -> String {
    let text = format!(
        "format: geppetto/component/1\nname: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\nparameters:\n  size: {{type: integer, description: How large, {keys}}}\n"
    );
    match component::parse_component_yaml("component.yaml", &text) {
        Err(errors) => errors[0].to_string(),
        Ok(component) => component.parameters.values().next().unwrap().check_declaration().join("; "),
    }
}

#[test]
fn line_indented_with_a_tab_is_named() {
    let tab =
        |line| format!("roles/web.yaml:{line}: it is indented with a tab; YAML takes only spaces there");
    refused("format: geppetto/role/1\nvalues:\n\tshop:\n\t\ta: 1\n", &tab(3));
    refused(&role("    a: 1\n\tb: 2\n"), &tab(5));
    refused(&role("\t\ta: 1\n"), &tab(4));
    refused(&role("    a:\n    \tb: 2\n"), &tab(5));
    refused(&role("    a:\n    \t- 2\n"), &tab(5));
}

#[test]
fn syntax_error_after_an_unknown_key_is_reported_instead_of_the_key() {
    let component = |text: &str| {
        let errors = component::parse_component_yaml("component.yaml", text).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let broken =
        "component.yaml:3: this is not YAML (unclosed bracket '['); look at this line and the one before it";
    assert_eq!(component("format: geppetto/component/1\nname: shop\nlabels: [x\n"), [broken]);
    refused(
        "format: geppetto/role/1\nlabels: [x\nvalues: {}\n",
        "roles/web.yaml:3: this is not YAML (illegal placement of ':' indicator); look at this line and the one before it",
    );
    refused(
        "format: geppetto/role/1\nlabels: [x]\n",
        "roles/web.yaml:2: unknown key `labels`; known here: format, description, inherits, components, versions, values, remove",
    );
}

#[test]
fn whole_number_beyond_64_bits_is_refused_with_the_bound() {
    let bound = "does not fit in 64 bits with a sign";
    for number in ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "1e30"] {
        let message = integer(&format!("default: {number}"));
        assert!(message.contains(bound), "{number}: {message}");
    }
    assert_eq!(integer("default: 9223372036854775807"), "");
    assert_eq!(integer("default: -9223372036854775808"), "");
    assert_eq!(
        integer("max: 9223372036854775808"),
        "component.yaml:7: expected a whole number that fits in 64 bits with a sign, so at most 9223372036854775807; this one does not"
    );
}

#[test]
fn number_with_a_fraction_for_a_whole_one_is_refused_with_the_number_to_write() {
    assert_eq!(
        integer("default: 1.0"),
        "its default must be a whole number, not 1.0, which is written with a fraction; write 1"
    );
    assert_eq!(
        integer("max: 1.0"),
        "component.yaml:7: expected a whole number, and this one is written with a fraction; leave the `.` and what follows it out"
    );
}

#[test]
fn number_with_a_zero_in_front_is_refused_where_a_number_is_needed() {
    let advice =
        "; whether a number that starts with 0 is octal depends on the reader, so write it without that 0";
    assert_eq!(
        integer("default: 017"),
        format!("its default must be a whole number, not the string \"017\"{advice}")
    );
    assert_eq!(integer("max: 017"), format!("component.yaml:7: expected a whole number{advice}"));
    assert_eq!(integer("default: 0"), "");
}

/// What is wrong with a component of these lines.
fn component_with(lines: &str) -> String {
    let text = format!(
        "format: geppetto/component/1\nname: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\n{lines}"
    );
    component::parse_component_yaml("component.yaml", &text).unwrap_err()[0].to_string()
}

#[test]
fn wrong_value_in_a_component_is_shown_with_its_type() {
    let command =
        "expected a command: a text for the shell (`./build.sh --fast`), or a list (`[make, all]`), found ";
    for (lines, message) in [
        ("build: 42\n", format!("component.yaml:6: {command}the whole number 42")),
        (
            "launch:\n  user: shop\n  command: 4.5 # often\n",
            format!("component.yaml:8: {command}the number 4.5"),
        ),
        (
            "launch: {user: shop, command: true, sandbox: false}\n",
            format!("component.yaml:6: {command}`true`"),
        ),
        (
            "launch: run\n",
            "component.yaml:6: expected a map (`key: value`), found the text \"run\"".to_owned(),
        ),
        (
            "files: '/usr/bin/shop'\n",
            "component.yaml:6: expected a list (`[a, b]`), found the text \"/usr/bin/shop\"".to_owned(),
        ),
        (
            "parameters:\n  size: {type: integer, description: x, max: many}\n",
            "component.yaml:7: expected a whole number, found the text \"many\"".to_owned(),
        ),
        (
            "parameters:\n  size:\n    required: yes please\n",
            "component.yaml:8: expected `true` or `false`, found the text \"yes please\"".to_owned(),
        ),
    ] {
        assert_eq!(component_with(lines), message, "{lines}");
    }
}

#[test]
fn value_where_a_secret_may_stand_is_not_shown() {
    assert_eq!(
        component_with("parameters:\n  password: hunter2\n"),
        "component.yaml:7: expected a map (`key: value`), found a single value"
    );
    refused(
        "format: geppetto/role/1\nvalues:\n  shop: hunter2\n",
        "roles/web.yaml:3: expected a map (`key: value`), found a single value",
    );
    refused(
        "format: geppetto/role/1\nvalues: hunter2\n",
        "roles/web.yaml:2: expected a map (`key: value`), found a single value",
    );
    refused(
        "format: geppetto/role/1\ninherits: base\n",
        "roles/web.yaml:2: expected a list (`[a, b]`), found the text \"base\"",
    );
}
