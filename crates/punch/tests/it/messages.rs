//! Messages: a path stands in each of them once.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::test_folder::TestFolder;

#[test]
fn path_stands_once_in_a_message() {
    let test = TestFolder::new();
    for (name, text) in [
        ("text.rpm", "no package"),
        ("broken.yaml", "format: [x"),
        ("node.yaml", "format: geppetto/node/1\ncomponents: {}\n"),
        ("open.key", "x"),
        ("closed.key", "x"),
        ("shop/component.yaml", "format: geppetto/component/1\nname: [x\n"),
        ("archetype/archetype.yaml", "format: x\n"),
        ("estate/roles/web.yaml", "format: geppetto/role/1\nvalues: 5\n"),
    ] {
        test.write(name, text);
    }
    fs::set_permissions(test.path("closed.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let no_server = "http://127.0.0.1:1";
    for (arguments, path) in [
        (vec!["key", "public", "nothing.key"], "nothing.key"),
        (vec!["key", "public", "open.key"], "open.key"),
        (vec!["key", "public", "closed.key"], "closed.key"),
        (vec!["key", "new", "--name", "A", "--out", "open.key"], "open.key"),
        (vec!["key", "new", "--name", "A", "--out", "no/such/a.key"], "no/such/a.key"),
        (vec!["key", "trust", "nothing.asc", "--url", no_server], "nothing.asc"),
        (vec!["lint", "nowhere"], "nowhere"),
        (vec!["lint", "text.rpm"], "text.rpm"),
        (vec!["test", "shop"], "component.yaml"),
        (vec!["new", "web-service", "a", "--from", "nowhere"], "nowhere"),
        (vec!["new", "web-service", "a", "--from", "archetype"], "archetype.yaml"),
        (vec!["new", "web-service", "a", "--dir", "shop"], "shop"),
        (vec!["archetypes", "--from", "nowhere"], "nowhere"),
        (vec!["publish", "nothing.rpm", "--url", no_server], "nothing.rpm"),
        (vec!["publish", "text.rpm", "--url", no_server], "text.rpm"),
        (vec!["apply", "nothing.yaml"], "nothing.yaml"),
        (vec!["apply", "broken.yaml", "--repository", "estate", "--root", "root"], "broken.yaml"),
        (
            vec!["apply", "node.yaml", "--repository", "nowhere", "--root", "root", "--allow-unsigned"],
            "nowhere",
        ),
        (vec!["plan", "node.yaml", "--repository", "estate", "--root", "no/such/root"], "no/such/root"),
        (vec!["import", "nowhere", "--url", no_server], "nowhere"),
        (vec!["login", no_server, "--token-file", "nothing.token"], "nothing.token"),
        (vec!["login", no_server, "--token-file", "open.key", "--ca-file", "nothing.pem"], "nothing.pem"),
        (
            vec!["join", no_server, "--token-file", "nothing.token", "--server", "a", "--root", "root"],
            "nothing.token",
        ),
        (vec!["server", "list", "--socket", "nothing.sock"], "nothing.sock"),
        (vec!["channel", "list"], "punch.yaml"),
    ] {
        if path == "punch.yaml" {
            test.write("home/.config/geppetto/punch.yaml", "url: [5]\n");
        }
        let output = test.punch(&arguments);
        let (_, message) = output.stderr.split_once("error: ").unwrap_or_else(|| {
            panic!("punch {}: no error\n{}{}", arguments.join(" "), output.stdout, output.stderr)
        });
        let message = message.split("\nhint: ").next().unwrap();
        let count = message.matches(path).count();
        assert!(count <= 1, "punch {}: `{path}` stands {count} times in\n{message}", arguments.join(" "));
    }
}
