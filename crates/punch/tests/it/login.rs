//! Logging in to and joining a control plane that is being started, or that is none.

use std::time::Duration;

use crate::{
    canned::{Canned, json, problem},
    test_folder::TestFolder,
};

const PRINCIPAL: &str = r#"{"name":"admin","grants":["admin"]}"#;

#[test]
fn login_waits_for_a_control_plane_that_listens_later() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    let canned = Canned::listening_after(Duration::from_secs(1), vec![json("200 OK", PRINCIPAL)]);
    let output = test.ok(&["login", &canned.url, "--token-file", "token"]);
    assert_eq!(output.stderr.matches("nothing listens at").count(), 1, "{}", output.stderr);
    assert!(output.stderr.contains("trying again for up to 10 s"), "{}", output.stderr);
    assert!(test.read("home/.config/geppetto/punch.yaml").contains("s3cret"));
}

#[test]
fn join_waits_for_a_control_plane_that_listens_later() {
    let test = TestFolder::new();
    let canned =
        Canned::listening_after(Duration::from_secs(1), vec![problem(401, "this join token was used")]);
    let join = ["join", &canned.url, "--token", "t", "--server", "web-01", "--root", "root"];
    test.punch(&join).fails(1, &["nothing listens at", "this join token was used"]);
    assert_eq!(canned.requests().len(), 1, "the token was sent once");
}

#[test]
fn wait_for_an_authority_ends_after_the_given_time() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    let fingerprint = "ab".repeat(32);
    let login = ["login", "https://127.0.0.1:1", "--token-file", "token", "--ca-fingerprint", &fingerprint];
    test.punch(&[&login[..], &["--wait", "1"]].concat())
        .fails(6, &["trying again for up to 1 s", "could not be reached: nothing listens there"]);
    let output = test.punch(&[&login[..], &["--wait", "0"]].concat());
    output.fails(6, &["could not be reached"]);
    assert!(!output.stderr.contains("trying again"), "{}", output.stderr);
}

#[test]
fn refused_token_is_not_tried_again() {
    let test = TestFolder::new();
    test.write("token", "wrong\n");
    let canned = Canned::new(vec![problem(401, "this token is not valid")]);
    let output = test.punch(&["login", &canned.url, "--token-file", "token"]);
    output.fails(1, &["this token is not valid"]);
    assert_eq!(canned.requests().len(), 1);
}
