//! What punch says when a back-office refuses, is down, or is none.

use crate::{
    canned::{Canned, PRINCIPAL, channels, json, problem},
    control_plane::ControlPlane,
    test_folder::{TestFolder, mode},
};

fn down() -> String {
    // A port that was free a moment ago: nothing listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn unreachable_back_office_exits_6() {
    let test = TestFolder::new();
    let url = down();
    test.punch(&["component", "show", "shop", "--url", &url])
        .fails(6, &["could not be reached: nothing listens there", "geppetto serve"]);
}

#[test]
fn missing_back_office_setting_explains_how_to_set_it() {
    TestFolder::new()
        .punch(&["component", "show", "shop"])
        .fails(1, &["no control plane is configured", "punch login URL"]);
}

#[test]
fn control_plane_of_this_machine_that_does_not_run_is_named() {
    let test = TestFolder::new();
    std::fs::create_dir(test.path("data")).unwrap();
    let stopped = ["does not run", "data/geppetto.sock", "systemctl start geppetto", "geppetto serve --data"];
    test.punch(&["whoami"]).fails(6, &stopped);
    // What a killed one left.
    drop(std::os::unix::net::UnixListener::bind(test.path("data/geppetto.sock")).unwrap());
    test.punch(&["channel", "list"]).fails(6, &stopped);
}

#[test]
fn refusal_shows_the_detail_of_the_back_office() {
    let test = TestFolder::new();
    let canned = Canned::new(vec![problem(404, "there is no component `shpo`; did you mean `shop`?")]);
    test.punch(&["component", "show", "shpo", "--url", &canned.url])
        .fails(1, &["refused: there is no component `shpo`; did you mean `shop`?"]);
    let canned = Canned::new(vec![problem(401, "no token")]);
    test.punch(&["component", "show", "shop", "--url", &canned.url])
        .fails(1, &["no token", "--token-file FILE"]);
    let canned = Canned::new(vec![problem(403, "a viewer may not do that")]);
    test.punch(&["component", "show", "shop", "--url", &canned.url])
        .fails(1, &["a viewer may not", "punch token create"]);
    let canned = Canned::new(vec![problem(503, "too busy")]);
    test.punch(&["component", "show", "shop", "--url", &canned.url]).fails(6, &["too busy"]);
    let canned = Canned::new(vec![problem(507, "the disk is full")]);
    test.punch(&["component", "show", "shop", "--url", &canned.url]).fails(5, &["the disk is full"]);
}

#[test]
fn unknown_component_is_refused_by_its_name_and_the_verb_that_lists_all() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let output = test.punch(&["component", "show", "nope"]);
    output.fails(1, &["there is no component `nope`", "`punch component list`"]);
    assert!(!output.stderr.contains("/api/"), "{}", output.stderr);
}

#[test]
fn response_of_another_server_is_refused_as_invalid() {
    let test = TestFolder::new();
    let canned = Canned::new(vec![json("200 OK", "[1] \u{1b}[2J")]);
    let output = test.punch(&["component", "show", "shop", "--url", &canned.url]);
    output.fails(6, &["does not answer like a control plane"]);
    assert!(!output.stderr.contains('\u{1b}'), "{:?}", output.stderr);
    let canned = Canned::new(vec!["SSH-2.0-OpenSSH_9.2\r\n".to_owned()]);
    let output = test.punch(&["component", "show", "shop", "--url", &canned.url]);
    assert_eq!(output.code, 6, "{}", output.stderr);
}

#[test]
fn all_pages_of_a_list_are_read() {
    let test = TestFolder::new();
    let page = |version: &str, next: &str| {
        json(
            "200 OK",
            &format!(
                r#"{{"items":[{{"name":"shop","version":"{version}","kind":"web-service","summary":"s","channels":["dev"]}}],"next":{next}}}"#
            ),
        )
    };
    let canned = Canned::new(vec![page("2.0-1", "\"2.0-1\""), page("1.0-1", "null")]);
    let output = test.ok(&["component", "show", "shop", "--url", &canned.url]);
    assert_eq!(output.stdout, "VERSION  CHANNELS  SUMMARY\n2.0-1    dev       s\n1.0-1    dev       s\n");
    assert!(canned.requests()[1].starts_with("GET /api/v1/components/shop/versions?limit=500&after=2.0-1 "));
}

#[test]
fn saved_token_is_sent_only_to_the_saved_address() {
    let test = TestFolder::new();
    test.write("token", "s3cret\n");
    let empty = json("200 OK", r#"{"items":[],"next":null}"#);
    let canned = Canned::new(vec![json("200 OK", PRINCIPAL), empty]);
    test.ok(&["login", &canned.url, "--token-file", "token"]);
    assert_eq!(mode(&test.path("home/.config/geppetto/punch.yaml")), 0o600);
    let output = test.ok(&["component", "show", "shop"]);
    assert!(output.stderr.contains("no version of shop is published"), "{}", output.stderr);
    assert!(canned.requests()[1].to_lowercase().contains("authorization: bearer s3cret"));

    let other = Canned::new(vec![json("200 OK", r#"{"items":[],"next":null}"#)]);
    test.ok(&["component", "show", "shop", "--url", &other.url]);
    assert!(!other.requests()[0].contains("s3cret"), "the token went to another address");
}

#[test]
fn invalid_token_file_is_refused_before_any_request() {
    let test = TestFolder::new();
    test.write("token", "two words\n");
    test.punch(&["login", &down(), "--token-file", "token"]).fails(1, &["the token holds spaces"]);
    test.write("empty", "\n");
    test.punch(&["login", &down(), "--token-file", "empty"]).fails(1, &["the token is empty"]);
    test.punch(&["login", "example.org", "--token-file", "token"]).fails(1, &["the token holds spaces"]);
}

#[test]
fn publish_uploads_the_file_then_adds_it_to_the_channel() {
    let test = TestFolder::new();
    let bytes = "R".repeat(300_000);
    test.write("dist/shop-1.0.0-1.noarch.rpm", &bytes);
    let canned = Canned::new(vec![
        channels(&["dev"]),
        json("200 OK", r#"{"file":"shop-1.0.0-1.noarch.rpm","sha256":"00","size":300000}"#),
        json(
            "200 OK",
            r#"{"channel":"dev","added":["shop-1.0.0-1.noarch.rpm"],"present":[], "preview": false, "removed": [], "effects": []}"#,
        ),
    ]);
    let output = test.ok(&["publish", "dist/shop-1.0.0-1.noarch.rpm", "--url", &canned.url]);
    assert_eq!(output.stdout, "shop-1.0.0-1.noarch.rpm is now in dev\nnothing changes on any server\n");
    let requests = canned.requests();
    assert!(requests[1].starts_with("PUT /api/v1/packages/shop-1.0.0-1.noarch.rpm "));
    assert!(requests[1].ends_with(&bytes), "the file came through changed");
    assert!(requests[2].starts_with("POST /api/v1/channels/dev/publications "));
}

#[test]
fn misspelled_channel_is_refused_before_anything_is_sent() {
    let test = TestFolder::new();
    test.write("a.rpm", "R");
    let canned = Canned::new(vec![channels(&["dev", "prod"])]);
    test.punch(&["publish", "a.rpm", "--channel", "prdo", "--url", &canned.url])
        .fails(1, &["there is no channel `prdo`; did you mean `prod`?", "nothing was sent"]);
    assert_eq!(canned.requests().len(), 1);
}

#[test]
fn servers_that_are_behind_or_failed_are_listed_alone() {
    let test = TestFolder::new();
    let server = |name: &str, generation: u64, reported: Option<u64>, outcome: Option<&str>| {
        serde_json::json!({
            "name": name, "description": "", "environment": "prod", "roles": [], "generation": generation,
            "reported_generation": reported, "outcome": outcome, "reported_us": reported.map(|_| 1),
        })
    };
    let items = [
        server("behind", 2, Some(1), Some("changed")),
        server("failed", 2, Some(2), Some("failed")),
        server("good", 2, Some(2), Some("unchanged")),
        server("new", 1, None, None),
    ];
    let page = json("200 OK", &serde_json::json!({"items": items, "next": null}).to_string());
    let canned = Canned::new(vec![page]);
    for (options, expected) in [
        (&["--behind"][..], &["behind", "new"][..]),
        (&["--failed"], &["failed"]),
        (&["--behind", "--failed"], &["behind", "failed", "new"]),
        (&[], &["behind", "failed", "good", "new"]),
    ] {
        let list = test.ok(&[&["server", "list", "--json", "--url", &canned.url], options].concat()).json();
        let names: Vec<_> =
            list.as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{options:?}");
    }
    let help = test.ok(&["server", "list", "--help"]).stdout;
    assert!(help.contains("--behind and --failed together show"), "{help}");
    let table = test.ok(&["server", "list", "--url", &canned.url]).stdout;
    let state = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(state("behind").contains(" behind ") && state("new").contains("never reported"), "{table}");
    assert!(state("good").contains(" current "), "{table}");
}

#[test]
fn refused_upload_of_a_large_file_shows_the_reason() {
    let test = TestFolder::new();
    test.write("big.rpm", &"R".repeat(5_000_000));
    let canned = Canned::new(vec![channels(&["dev"]), problem(413, "a package may have at most 1 MB")]);
    test.punch(&["publish", "big.rpm", "--url", &canned.url]).fails(1, &["a package may have at most 1 MB"]);
}

#[test]
fn other_files_than_packages_are_not_sent() {
    let test = TestFolder::new();
    test.write("notes.txt", "x");
    let canned = Canned::new(vec![json("200 OK", "{}")]);
    test.punch(&["publish", "notes.txt", "--url", &canned.url]).fails(1, &["notes.txt is not a package"]);
    test.punch(&["publish", "gone.rpm", "--url", &canned.url])
        .fails(1, &["cannot read gone.rpm", "punch package"]);
    assert!(canned.requests().is_empty());
}

#[test]
fn join_requires_address_token_and_server_name() {
    let test = TestFolder::new();
    let root = test.path("root");
    let root = root.to_str().unwrap();
    test.punch(&[
        "join",
        "http://127.0.0.1:1",
        "--token",
        "t",
        "--server",
        "web-01",
        "--root",
        root,
        "--wait",
        "0",
    ])
    .fails(6, &["could not be reached"]);
    test.punch(&["join", "http://127.0.0.1:1", "--server", "web-01"]).fails(2, &["--token"]);
    test.punch(&["join", "http://127.0.0.1:1", "--token", "t", "--server", "Web_01"])
        .fails(2, &["lower-case"]);
    let canned = Canned::new(vec![problem(401, "this join token was used")]);
    test.punch(&["join", &canned.url, "--token", "t", "--server", "web-01", "--root", root])
        .fails(1, &["this join token was used", "punch server join-token"]);
    assert!(!test.path("root/etc/geppetto/punch.yaml").exists());
}

#[test]
fn invalid_keys_in_a_join_response_are_not_saved() {
    let test = TestFolder::new();
    let root = test.path("root");
    let canned = Canned::new(vec![json(
        "200 OK",
        r#"{"server":"web-01","credential":"c","node_key":"AAAA","package_keys":"none"}"#,
    )]);
    test.punch(&[
        "join",
        &canned.url,
        "--token",
        "t",
        "--server",
        "web-01",
        "--root",
        root.to_str().unwrap(),
    ])
    .fails(1, &["sent keys that cannot be used", "3 bytes instead of 32"]);
    assert!(!test.path("root/etc/geppetto/trust/node.pub").exists());
    assert!(!test.path("root/etc/geppetto/punch.yaml").exists());
}

#[test]
fn local_administrator_without_the_variable_user_is_logged_by_its_number() {
    let test = TestFolder::new();
    let Some(_control_plane) = ControlPlane::with_shop(&test) else { return };
    let socket = ["--socket", "data/geppetto.sock"];
    let mut command = test.command(&[&["token", "create", "ann", "--grant", "viewer"], &socket[..]].concat());
    assert!(command.env_remove("USER").env_remove("LOGNAME").status().unwrap().success());
    let entries = test.ok(&[&["audit", "list", "--json"], &socket[..]].concat()).json();
    let made =
        entries.as_array().unwrap().iter().find(|entry| entry["subject"].as_str().unwrap().contains("ann"));
    let uid = nix::unistd::getuid().as_raw();
    let actor = made.unwrap()["actor"].as_str().unwrap();
    assert!(actor.contains(&format!("uid {uid}")), "{actor}");
}
