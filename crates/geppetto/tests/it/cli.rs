//! The command line: tokens, help, errors.

use crate::control_plane::{ControlPlane, program, result_of};

#[test]
fn every_verb_shows_an_example_in_its_help() {
    let help = result_of(program().arg("--help").output().unwrap()).ok();
    let verbs: Vec<&str> = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 5, "{verbs:?}");
    for verb in verbs {
        let help = result_of(program().args([verb, "--help"]).output().unwrap()).ok();
        assert!(help.contains(&format!("Example:\n  geppetto {verb}")), "{verb}: {help}");
    }
}

#[test]
fn wrong_command_line_exits_with_2() {
    assert_eq!(program().arg("frobnicate").output().unwrap().status.code(), Some(2));
}

#[test]
fn misspelt_verb_is_answered_with_the_right_one_and_a_verb_of_punch_with_punch() {
    let message = |verb: &str| String::from_utf8(program().arg(verb).output().unwrap().stderr).unwrap();
    let misspelt = message("serv");
    assert!(misspelt.contains("a similar subcommand exists: 'serve'"), "{misspelt}");
    assert!(!misspelt.contains("`punch"), "{misspelt}");
    for verb in ["servers", "publish", "token"] {
        let of_punch = message(verb);
        assert!(of_punch.contains("shown and changed by `punch`"), "{of_punch}");
    }
}

#[test]
fn token_is_created_listed_and_revoked() {
    let plane = ControlPlane::start();
    let ci = plane.punch(&["token", "create", "ci", "--grant", "viewer"]).ok();
    plane.get("/api/v1/servers", ci.trim()).ok();
    let list = plane.punch(&["token", "list"]).ok();
    assert!(
        list.lines().any(|line| line.starts_with("ci ") && line.contains("valid") && line.contains("viewer")),
        "{list}"
    );
    assert!(!list.contains(ci.trim()));
    let message = plane.punch(&["token", "create", "ci", "--grant", "admin"]).failed(1);
    assert!(message.contains("there is a token named `ci` already"), "{message}");
    let message = plane.punch(&["token", "revoke", "cj"]).failed(1);
    assert!(message.contains("did you mean `ci`?"), "{message}");
    plane.punch(&["token", "revoke", "ci"]).ok();
    for arguments in [&["token", "revoke", "ci"][..], &["token", "revoke", "ci", "--dry-run"]] {
        let message = plane.punch(arguments).failed(1);
        assert!(message.contains("the token `ci` is revoked already"), "{message}");
    }
    let detail = plane.get("/api/v1/servers", ci.trim()).problem(401);
    assert!(detail.contains("revoked"), "{detail}");
}

#[test]
fn unknown_server_is_answered_with_the_nearest_name() {
    let (plane, _) = ControlPlane::with_shop();
    for arguments in [
        vec!["server", "node", "web-1"],
        vec!["explain", "shop.http_port", "--server", "web-1"],
        vec!["server", "node", "web-1", "--generation", "3"],
        vec!["server", "enc", "web-1"],
        vec!["server", "join-token", "web-1"],
    ] {
        let message = plane.punch(&arguments).failed(1);
        assert!(message.contains("there is no server `web-1`; did you mean `web-01`?"), "{message}");
    }
    let message = plane.punch(&["explain", "shop.http_prt", "--server", "web-01"]).failed(1);
    assert!(message.contains("http_port"), "{message}");
}

#[test]
fn completion_and_manual_pages_cover_the_verbs() {
    let script = result_of(program().args(["completion", "bash"]).output().unwrap()).ok();
    assert!(script.contains("geppetto__subcmd__serve"), "{script}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    result_of(program().arg("man").arg(&pages).env("GEPPETTO_DATA", "/of/this/machine").output().unwrap())
        .ok();
    let page = std::fs::read_to_string(pages.join("geppetto-serve.1")).unwrap();
    assert!(page.contains(".SH NAME") && page.contains("Example"), "{page}");
    assert!(!page.contains("/of/this/machine"), "{page}");
}

#[test]
fn results_and_errors_are_json_when_programs_ask_for_it() {
    let mut plane = ControlPlane::empty();
    let json = |text: &str| -> serde_json::Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let data = plane.data().display().to_string();
    assert_eq!(json(&plane.run(&["--json", "init"]).ok()), serde_json::json!({"data": data}));
    let out = plane.path("backup");
    let backup = ["backup", "--json", "--out", out.to_str().unwrap()];
    let made = json(&plane.run(&backup).ok());
    assert!(made["files"].as_u64().is_some_and(|files| files > 3), "{made}");
    let again = plane.run(&backup);
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    let error = &json(&again.err)["error"];
    assert_eq!((&error["exit"], &error["faults"]), (&1.into(), &serde_json::json!([])));
    assert!(error["message"].as_str().unwrap().contains("exists already"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("does not exist yet"), "{error}");
    let elsewhere = ControlPlane::empty();
    let recovered = ["--json", "recover", "--from", out.to_str().unwrap()];
    let dry = json(&elsewhere.run(&[&recovered[..], &["--dry-run"]].concat()).ok());
    assert_eq!((&dry["files"], &dry["epoch"]), (&made["files"], &serde_json::Value::Null));
    assert!(json(&elsewhere.run(&recovered).ok())["epoch"].as_u64().is_some_and(|epoch| epoch > 1));
    let wrong = result_of(program().args(["--json", "bakcup"]).output().unwrap());
    assert_eq!(wrong.code, 2);
    let error = &json(&wrong.err)["error"];
    assert!(error["message"].as_str().unwrap().contains("bakcup"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`geppetto help VERB`"), "{error}");
    plane.serve(&[]);
    let address = plane.url.strip_prefix("http://").unwrap().to_owned();
    let taken = elsewhere.run(&["serve", "--json", "--listen", &address]);
    assert!(json(&taken.err)["error"]["message"].as_str().unwrap().contains("listens on"), "{}", taken.err);
}
