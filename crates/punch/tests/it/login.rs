//! Logging in to and joining a control plane that is being started, or that is none.

use std::time::Duration;

use crate::{
    canned::{Canned, PRINCIPAL, json, problem},
    test_folder::TestFolder,
};

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

/// An answer of a web server that is no control plane.
fn page(status: &str, headers: &str) -> String {
    let body = "<!DOCTYPE html><html>hello</html>";
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn foreign_web_server_is_named_as_such_and_no_login_is_saved() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    let html = "Server: nginx/1.26\r\nContent-Type: text/html; charset=utf-8\r\n";
    for (answer, seen) in [
        (page("200 OK", html), "status 200 OK and an HTML page, from the server `nginx/1.26`"),
        (page("404 Not Found", html), "status 404 Not Found and an HTML page, from the server `nginx/1.26`"),
        (page("404 Not Found", "Content-Type: text/plain\r\n"), "status 404 Not Found and an HTML page"),
        (page("200 OK", ""), "status 200 OK and an HTML page"),
    ] {
        let canned = Canned::new(vec![answer]);
        let message = format!("{} is not a Geppetto control plane: it answered with {seen}", canned.url);
        let output = test.punch(&["login", &canned.url, "--token-file", "token"]);
        output.fails(6, &[&message, "listens on port 8700"]);
        let output = test.punch(&["channel", "create", "dev", "--url", &canned.url]);
        output.fails(6, &[&message]);
    }
    let canned = Canned::new(vec![json("404 Not Found", r#"{"error":"no route"}"#)]);
    test.punch(&["channel", "create", "dev", "--url", &canned.url])
        .fails(6, &["is not a Geppetto control plane", "status 404 Not Found and application/json"]);
    assert!(!test.path("home/.config/geppetto/punch.yaml").exists());
}

#[test]
fn json_of_another_shape_is_no_accepted_login() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    let canned = Canned::new(vec![json("200 OK", r#"{"hello":"world"}"#)]);
    let output = test.punch(&["login", &canned.url, "--token-file", "token"]);
    output.fails(6, &["does not answer like a control plane"]);
    assert!(!test.path("home/.config/geppetto/punch.yaml").exists());
}

#[test]
fn error_page_of_a_proxy_keeps_its_status() {
    let test = TestFolder::new();
    let canned = Canned::new(vec![page("502 Bad Gateway", "Content-Type: text/html\r\n")]);
    let output = test.punch(&["channel", "list", "--url", &canned.url]);
    output.fails(6, &["refused: Bad Gateway (status 502)"]);
}

#[test]
fn address_without_a_scheme_is_refused_with_the_whole_address() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    test.punch(&["login", "localhost:8700", "--token-file", "token"])
        .fails(1, &["`localhost:8700` is not an address", "write http://localhost:8700"]);
    test.punch(&["channel", "list", "--url", "geppetto.example.org:8700"])
        .fails(1, &["write https://geppetto.example.org:8700"]);
    for (given, whole) in [
        ("geppetto.example.org:80", "write http://geppetto.example.org:80\n"),
        ("geppetto.example.org:443", "write https://geppetto.example.org:443\n"),
        ("geppetto.example.org", "write https://geppetto.example.org\n"),
        ("127.0.0.1:443", "write http://127.0.0.1:443\n"),
    ] {
        test.punch(&["channel", "list", "--url", given]).fails(1, &[whole]);
    }
}
