//! Which component descriptions are accepted, and the errors of those that are refused.

use super::*;

const LEAST: &str =
    "format: geppetto/component/1\nname: shop\nversion: 1.0\nkind: web-service\nsummary: A shop\n";

fn messages(extra: &str) -> Vec<String> {
    match parse_component_yaml("component.yaml", &format!("{LEAST}{extra}")) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn refused(extra: &str, expected: &str) {
    let messages = messages(extra).join("\n");
    assert!(messages.contains(expected), "wanted: {expected}\ngot: {messages}");
}

#[test]
fn minimal_component_gets_default_release_and_arch() {
    let component = parse_component_yaml("component.yaml", LEAST).unwrap();
    assert_eq!(component.version.as_deref(), Some("1.0"));
    assert_eq!(component.release, "1");
    assert_eq!(component.arch, Arch::Noarch);
}

#[test]
fn commands_are_texts_lists_or_maps_of_either() {
    for (text, words) in [
        ("build: make all", vec!["/bin/sh", "-c", "make all"]),
        ("build: [make, all]", vec!["make", "all"]),
        ("build: {command: [make, all]}", vec!["make", "all"]),
        ("build: {command: make all}", vec!["/bin/sh", "-c", "make all"]),
    ] {
        let component = parse_component_yaml("component.yaml", &format!("{LEAST}{text}\n")).unwrap();
        assert_eq!(component.build.unwrap().to_argv_with_shell_for_text(), words, "{text}");
    }
    refused("build: 3\n", "a command: a text for the shell");
    refused("build: []\n", "`build` is empty; write a command, for instance `build: ./build.sh`");
    refused("build: {comand: x}\n", "comand");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let messages = messages(
        "from: setup.py\nos_packages: {rpm: ['a b']}\nlaunch: {command: [run], user: 'Big User', after: [db]}\n",
    );
    assert_eq!(messages.len(), 5, "{messages:#?}");
    assert!(messages.iter().all(|message| message.starts_with("component.yaml:")), "{messages:#?}");
}

#[test]
fn replaced_paths_that_cover_too_much_and_setuid_without_its_bit_are_refused() {
    refused("replaces: [bin/x]\n", "component.yaml:6: `replaces` names `bin/x`, which is not absolute");
    for path in ["/usr", "/*/bin/x", "/usr/**", "/**"] {
        refused(&format!("replaces: ['{path}']\n"), "which covers too much of a host");
    }
    refused(
        "files:\n  - {source: x, path: /usr/bin/x, mode: '0755', setuid: true}\n",
        "no mode with such a bit",
    );
    let text = "replaces: [/usr/bin/x, '/usr/share/man/man1/x*']\nfiles:\n  - {source: x, path: /usr/bin/x, mode: '4755', setuid: true}\n";
    assert_eq!(parse_component_yaml("component.yaml", &format!("{LEAST}{text}")).unwrap().replaces.len(), 2);
}

#[test]
fn mistake_found_after_reading_names_the_line_of_its_key() {
    refused(
        "launch:\n  command: [/bin/x]\n  user: Big User\n",
        "component.yaml:8: `launch.user` is `Big User`, which",
    );
    refused("launch: {command: [/bin/x], user: Big User}\n", "component.yaml:6: `launch.user` is `Big User`");
    refused("license: ''\n", "component.yaml:6: `license` must be one line");
    refused("files:\n  - {path: /x}\n", "component.yaml:6: the entry of `files` for `/x`");
}

#[test]
fn file_with_windows_line_ends_is_read_like_one_without() {
    let text = format!("{LEAST}description: |\n  One.\n  Two.\nurl: https://example.org\n");
    let unix = parse_component_yaml("component.yaml", &text).unwrap();
    assert_eq!(parse_component_yaml("component.yaml", &text.replace('\n', "\r\n")).unwrap(), unix);
    let quoted =
        parse_component_yaml("component.yaml", &format!("{LEAST}description: \"One.\\r\\n\\tTwo.\"\n"))
            .unwrap();
    assert_eq!(quoted.description.as_deref(), Some("One.\n\tTwo."));
}

#[test]
fn control_character_in_a_text_is_refused_with_key_line_and_code() {
    for (text, expected) in [
        (
            "description: \"One.\\rTwo.\"\n",
            "component.yaml:6: `description` holds the control character U+000D (carriage return); only plain text, tabs and line breaks may be in it",
        ),
        (
            "description: \"\\a\"\n",
            "component.yaml:6: `description` holds the control character U+0007; only",
        ),
        ("license: \"MIT\\r\"\n", "component.yaml:6: `license` holds the control character U+000D"),
        ("url: \"a\\nb\"\n", "component.yaml:6: `url` holds a line break; it must be one line"),
    ] {
        refused(text, expected);
    }
}

#[test]
fn paths_that_leave_their_place_are_refused() {
    refused(
        "files: [{source: ../secret, path: /x}]\n",
        "`files` takes `../secret`, which leaves the component's folder by `..`",
    );
    refused("files: [{source: /etc/shadow, path: /x}]\n", "`files` takes `/etc/shadow`, which is absolute");
    refused("files: [{source: a, path: etc/x}]\n", "the path `etc/x`, which is not absolute");
    refused("files: [{source: a, path: /usr/../etc/x}]\n", "which must be written plainly");
    refused("files: [{source: a, path: /}]\n", "which is the root of the host");
    refused("tomcat: {war: ../a.war, context: /a}\n", "`tomcat.war` is `../a.war`, which leaves");
    refused("tomcat: {war: a.war, context: a/../b}\n", "`tomcat.context` is `a/../b`");
}

#[test]
fn file_entry_must_be_exactly_one_of_source_directory_and_symlink() {
    refused("files: [{path: /x}]\n", "must have exactly one of `source`, `directory: true` and `symlink`");
    refused("files: [{path: /x, source: a, directory: true}]\n", "must have exactly one of");
    refused("files: [{path: /x, symlink: a, mode: '0644'}]\n", "links have none");
    refused("files: [{path: /x, directory: true, config: true}]\n", "`config: true` has no effect");
    refused("files: [{path: /x, directory: true}, {path: /x, symlink: y}]\n", "lists `/x` twice");
}

#[test]
fn modes_are_quoted_octal_numbers() {
    refused("files: [{path: /x, source: a, mode: 644}]\n", "three or four octal digits in quotes");
    refused(
        "files: [{path: /x, source: a, mode: '0888'}]\n",
        "`0888` is no file mode: write three or four octal digits in quotes",
    );
    let component =
        parse_component_yaml("c", &format!("{LEAST}files: [{{path: /x, source: a, mode: '2755'}}]\n"))
            .unwrap();
    assert_eq!(component.files[0].mode, Some(FileMode(0o2755)));
}

#[test]
fn missing_name_is_an_error_unless_from_is_given() {
    let errors = parse_component_yaml(
        "c",
        "format: geppetto/component/1\nkind: os-config\nsummary: x\nfrom: pom.xml\n",
    )
    .map(|_| ());
    assert_eq!(errors, Ok(()));
    let errors =
        parse_component_yaml("c", "format: geppetto/component/1\nkind: os-config\nsummary: x\n").unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "c: `name` is missing; write it, or name the project file it comes from: `from: pom.xml`"
    );
}

#[test]
fn unknown_keys_wrong_types_and_wrong_names_name_their_line() {
    refused("sumary: x\n", "component.yaml:6");
    refused("kinds: x\n", "kind");
    refused("requires: {Base: '*'}\n", "`Base` is not a name");
    refused("requires: {base: '>> 1'}\n", "is not a version range");
    refused("requires: {shop: '*'}\n", "`requires` names `shop` itself");
    refused("parameters: {http-port: {type: port, description: x}}\n", "`http-port` is not a parameter name");
}

#[test]
fn context_path_is_converted_to_the_tomcat_file_name() {
    for (context, file) in [("/", "ROOT.xml"), ("/shop", "shop.xml"), ("/a/b", "a#b.xml")] {
        let tomcat = TomcatContext { war: "x".into(), context: context.into() };
        assert_eq!(tomcat.tomcat_context_file_name(), file);
    }
}

#[test]
fn component_schema_contains_every_key() {
    let schema = component_json_schema();
    for key in ["format", "name", "from", "files", "launch", "schedule", "tomcat", "parameters"] {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
}

#[test]
fn unknown_keys_do_not_hide_the_other_faults() {
    let launch = "launch:\n  comand: [run]\n  user: shop\n  command: [/usr/bin/shop]\n";
    let found = messages(&format!("licence: MIT\n{launch}build: []\n")).join("\n");
    for part in [
        "component.yaml:6: unknown key `licence`",
        "component.yaml:8: unknown key `comand`",
        "component.yaml:11: `build` is empty",
    ] {
        assert!(found.contains(part), "{part} is not in {found}");
    }
    // A key that is missing besides is one more fault.
    let found = messages("licence: MIT\nlaunch:\n  command: [/usr/bin/shop]\n").join("\n");
    assert!(found.contains("unknown key `licence`"), "{found}");
    assert!(found.contains("the key `user` is missing"), "{found}");
    // The key that was misspelt is not called missing as well.
    let text = LEAST.replace("kind:", "kidn:");
    let errors = parse_component_yaml("component.yaml", &text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
}
