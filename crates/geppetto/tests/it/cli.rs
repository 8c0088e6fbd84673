//! The command line: tokens, help, errors.

use crate::plane::{Plane, program, ran};

#[test]
fn every_verb_shows_an_example_in_its_help() {
    let help = ran(program().arg("--help").output().unwrap()).ok();
    let verbs: Vec<&str> = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 12, "{verbs:?}");
    for verb in verbs {
        let help = ran(program().args([verb, "--help"]).output().unwrap()).ok();
        assert!(help.contains(&format!("Example:\n  geppetto {verb}")), "{verb}: {help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_two_and_a_folder_without_a_control_plane_with_one() {
    assert_eq!(program().arg("frobnicate").output().unwrap().status.code(), Some(2));
    let said = Plane::empty().run(&["node", "web-01"]).failed(1);
    assert!(said.contains("there is no control plane in") && said.contains("hint: "), "{said}");
}

#[test]
fn a_token_is_made_listed_and_revoked() {
    let plane = Plane::start();
    let ci = plane.run(&["token", "create", "ci", "--role", "viewer"]).ok();
    plane.get("/api/v1/servers", ci.trim()).ok();
    let list = plane.run(&["token", "list"]).ok();
    assert!(list.lines().any(|line| line.starts_with("ci\tviewer\t") && line.ends_with("\tgood")), "{list}");
    assert!(!list.contains(ci.trim()));
    let said = plane.run(&["token", "create", "ci", "--role", "admin"]).failed(1);
    assert!(said.contains("there is a token named `ci` already"), "{said}");
    let said = plane.run(&["token", "revoke", "cj"]).failed(1);
    assert!(said.contains("did you mean `ci`?"), "{said}");
    plane.run(&["token", "revoke", "ci"]).ok();
    let detail = plane.get("/api/v1/servers", ci.trim()).problem(401);
    assert!(detail.contains("revoked"), "{detail}");
}

#[test]
fn unknown_servers_are_met_with_the_nearest_name() {
    let (plane, _) = Plane::with_shop();
    for arguments in [
        vec!["node", "web-1"],
        vec!["explain", "web-1", "shop.http_port"],
        vec!["node", "web-1", "--generation", "3"],
        vec!["enc", "web-1"],
        vec!["join-token", "web-1"],
    ] {
        let said = plane.run(&arguments).failed(1);
        assert!(said.contains("there is no server `web-1`; did you mean `web-01`?"), "{said}");
    }
    let said = plane.run(&["explain", "web-01", "shop.http_prt"]).failed(1);
    assert!(said.contains("http_port"), "{said}");
}

#[test]
fn completion_and_manual_pages_cover_the_verbs() {
    let script = ran(program().args(["completion", "bash"]).output().unwrap()).ok();
    assert!(script.contains("geppetto__subcmd__serve"), "{script}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    ran(program().arg("man").arg(&pages).env("GEPPETTO_DATA", "/of/this/machine").output().unwrap()).ok();
    let page = std::fs::read_to_string(pages.join("geppetto-serve.1")).unwrap();
    assert!(page.contains(".SH NAME") && page.contains("Example"), "{page}");
    assert!(!page.contains("/of/this/machine"), "{page}");
}
