//! Where settings come from, and the Unix socket.

use crate::skip::skip;
use crate::{
    canned::{Canned, PRINCIPAL, json, problem},
    test_folder::{TestFolder, mode, run},
};

const EMPTY_LIST: &str = r#"{"items":[],"next":null}"#;

#[test]
fn config_shows_the_winner_of_every_setting_and_what_it_overrides() {
    let test = TestFolder::new();
    test.write(
        "home/.config/geppetto/punch.yaml",
        "url: https://file.example\ntoken: s3cret\nkey: keys/me.key\npromote: {from: dev, to: prod}\n",
    );
    let mut command = test.command(&["config", "--url", "https://option.example", "--json"]);
    let output = run(command.env("PUNCH_URL", "https://variable.example").env("PUNCH_CHANNEL", "next"));
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(!output.stdout.contains("s3cret"), "{}", output.stdout);
    let view: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let setting = |name: &str| {
        view["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap().clone()
    };
    let file = test.path("home/.config/geppetto/punch.yaml").display().to_string();
    assert_eq!(view["file"], file);
    assert_eq!(setting("url")["value"], "https://option.example");
    assert_eq!(setting("url")["source"], "option --url");
    assert_eq!(
        setting("url")["overridden"],
        serde_json::json!([
            {"value": "https://variable.example", "source": "variable PUNCH_URL"},
            {"value": "https://file.example", "source": format!("{file}:1")},
        ])
    );
    assert_eq!(setting("token")["value"], "(secret)");
    assert_eq!(setting("token")["source"], format!("{file}:2"));
    assert_eq!(
        setting("key")["value"],
        test.path("home/.config/geppetto/keys/me.key").display().to_string(),
        "paths in the file are relative to the file"
    );
    assert_eq!(setting("channel")["source"], "variable PUNCH_CHANNEL");
    assert_eq!(setting("channel")["overridden"][0]["source"], "default");
    assert_eq!(setting("promote.to")["value"], "prod");
    assert_eq!(setting("ca_file")["value"], serde_json::Value::Null);
}

#[test]
fn config_without_any_file_lists_the_defaults() {
    let test = TestFolder::new();
    let output = test.ok(&["config"]);
    let channel = output.stdout.lines().find(|line| line.starts_with("channel")).unwrap();
    assert!(channel.contains("dev") && channel.contains("default"), "{channel}");
    let url = output.stdout.lines().find(|line| line.starts_with("url")).unwrap();
    assert!(url.contains("not set (PUNCH_URL)"), "{url}");
}

#[test]
fn unknown_key_of_the_configuration_file_is_refused_with_file_and_line() {
    let test = TestFolder::new();
    test.write("home/.config/geppetto/punch.yaml", "channel: dev\ntokenfile: x\n");
    test.punch(&["component", "show", "shop"])
        .fails(1, &["home/.config/geppetto/punch.yaml:2", "`tokenfile`", "did you mean `token_file`"]);
}

#[test]
fn xdg_config_home_is_preferred_to_home() {
    let test = TestFolder::new();
    test.write("xdg/geppetto/punch.yaml", "channel: xdg\n");
    let output = run(test.command(&["config"]).env("XDG_CONFIG_HOME", test.path("xdg")));
    let channel = output.stdout.lines().find(|line| line.starts_with("channel")).unwrap();
    assert!(channel.contains("xdg/geppetto/punch.yaml:1"), "{channel}");
}

#[test]
fn variable_token_is_sent() {
    let test = TestFolder::new();
    let canned = Canned::new(vec![json("200 OK", EMPTY_LIST)]);
    let mut command = test.command(&["channel", "list"]);
    let output = run(command.env("PUNCH_URL", &canned.url).env("PUNCH_TOKEN", "from-variable"));
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(canned.requests()[0].to_lowercase().contains("authorization: bearer from-variable"));
}

#[test]
fn publish_and_promote_take_their_channels_from_the_configuration() {
    let test = TestFolder::new();
    let answer = json(
        "200 OK",
        r#"{"channel":"next","added":["a.rpm"],"present":[], "preview": false, "removed": [], "effects": []}"#,
    );
    let received = json("200 OK", r#"{"file":"a.rpm","sha256":"00","size":1}"#);
    let canned = Canned::new(vec![received, answer]);
    test.write("a.rpm", "R");
    test.write(
        "home/.config/geppetto/punch.yaml",
        &format!("url: {}\nchannel: next\npromote: {{from: next, to: prod}}\n", canned.url),
    );
    test.ok(&["publish", "a.rpm"]);
    test.ok(&["promote", "a@1.0"]);
    let requests = canned.requests();
    assert!(requests[1].starts_with("POST /api/v1/channels/next/publications "), "{}", requests[1]);
    let body = requests[2].split_once("\r\n\r\n").unwrap().1;
    let promotion: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((promotion["from"].as_str(), promotion["to"].as_str()), (Some("next"), Some("prod")));
}

#[test]
fn promote_without_channels_goes_from_the_configured_one_to_the_next() {
    let test = TestFolder::new();
    let answer = json(
        "200 OK",
        r#"{"channel":"staging","added":["a.rpm"],"present":[], "preview": false, "removed": [], "effects": []}"#,
    );
    let canned = Canned::new(vec![answer]);
    let promote = ["promote", "a@1.0", "--url", &canned.url];
    test.ok(&promote);
    let output = run(test.command(&promote).env("PUNCH_CHANNEL", "next"));
    assert!(output.stdout.contains("a.rpm is now in staging"), "{}", output.stdout);
    test.ok(&[&promote[..], &["--from", "staging"]].concat());
    let bodies: Vec<serde_json::Value> = canned
        .requests()
        .iter()
        .map(|request| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let from: Vec<_> = bodies.iter().map(|body| body["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["dev", "next", "staging"]);
    assert!(bodies.iter().all(|body| body["to"].is_null()), "{bodies:?}");
    let config = run(test.command(&["config"]).env("PUNCH_CHANNEL", "next")).stdout;
    let row = |name: &str| config.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(
        row("promote.from").contains("next ")
            && row("promote.from").ends_with("default: the setting channel"),
        "{config}"
    );
    assert!(row("promote.to").contains("(next channel)"), "{config}");
}

#[test]
fn login_keeps_other_settings_and_logout_removes_what_it_saved() {
    let test = TestFolder::new();
    let file = "home/.config/geppetto/punch.yaml";
    test.write(file, "channel: next\ntoken_file: old\n");
    test.write("token", "s3cret\n");
    let canned = Canned::new(vec![json("200 OK", PRINCIPAL)]);
    test.ok(&["login", &canned.url, "--token-file", "token"]);
    let saved = test.read(file);
    assert!(saved.contains("channel: next") && saved.contains("s3cret") && !saved.contains("old"), "{saved}");
    assert_eq!(mode(&test.path(file)), 0o600);
    test.ok(&["logout"]);
    let left = test.read(file);
    assert_eq!(left, "channel: next\n");
    assert!(test.ok(&["logout"]).stderr.contains("no token was saved"));
}

#[test]
fn socket_of_the_data_folder_is_used_after_login_and_logout() {
    let test = TestFolder::new();
    std::fs::create_dir(test.path("data")).unwrap();
    test.write("token", "s3cret\n");
    let local = Canned::on_socket(&test.path("data/geppetto.sock"), vec![json("200 OK", EMPTY_LIST)]);
    let remote = Canned::new(vec![json("200 OK", PRINCIPAL)]);
    test.ok(&["login", &remote.url, "--token-file", "token"]);
    test.ok(&["logout"]);
    test.ok(&["channel", "list"]);
    assert_eq!((local.requests().len(), remote.requests().len()), (1, 1));
}

#[test]
fn login_with_a_refused_token_saves_nothing() {
    let test = TestFolder::new();
    test.write("token", "wrong\n");
    let canned = Canned::new(vec![problem(401, "this token is not valid")]);
    test.punch(&["login", &canned.url, "--token-file", "token"]).fails(1, &["this token is not valid"]);
    assert!(!test.path("home/.config/geppetto/punch.yaml").exists());
}

#[test]
fn socket_option_asks_the_socket_without_a_token() {
    let test = TestFolder::new();
    let socket = test.path("g.sock");
    let body = "x".repeat(200_000);
    let answer = format!(r#"{{"items":[{{"name":"{body}","components":2}}],"next":null}}"#);
    let canned = Canned::on_socket(&socket, vec![json("200 OK", &answer)]);
    let mut command = test.command(&["channel", "list", "--socket", "g.sock"]);
    let output = run(command.env("PUNCH_URL", "http://127.0.0.1:1").env("PUNCH_TOKEN", "s3cret"));
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains(&body), "a long response came through changed");
    let request = &canned.requests()[0];
    assert!(request.starts_with("GET /api/v1/channels?limit=500 "), "{request}");
    assert!(!request.contains("s3cret"), "{request}");
}

#[test]
fn socket_of_the_data_folder_is_the_default_and_a_url_is_stronger() {
    let test = TestFolder::new();
    std::fs::create_dir(test.path("data")).unwrap();
    let local = Canned::on_socket(&test.path("data/geppetto.sock"), vec![json("200 OK", EMPTY_LIST)]);
    test.ok(&["channel", "list"]);
    assert_eq!(local.requests().len(), 1);
    let remote = Canned::new(vec![json("200 OK", EMPTY_LIST)]);
    test.ok(&["channel", "list", "--url", &remote.url]);
    assert_eq!((local.requests().len(), remote.requests().len()), (1, 1));
}

#[test]
fn default_socket_is_not_used_when_a_token_is_named() {
    let test = TestFolder::new();
    std::fs::create_dir(test.path("data")).unwrap();
    let local = Canned::on_socket(&test.path("data/geppetto.sock"), vec![json("200 OK", EMPTY_LIST)]);
    test.write("token", "s3cret\n");
    test.punch(&["channel", "list", "--token-file", "token"])
        .fails(1, &["no control plane is configured", "--url URL"]);
    let output = run(test.command(&["channel", "list"]).env("PUNCH_TOKEN", "s3cret"));
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(local.requests().is_empty());
    test.punch(&["channel", "list", "--token-file", "token", "--socket", "data/geppetto.sock"])
        .fails(2, &["cannot be used with"]);
}

#[test]
fn package_is_sent_whole_over_the_socket() {
    let test = TestFolder::new();
    let bytes = "R".repeat(3_000_000);
    test.write("a.rpm", &bytes);
    let canned = Canned::on_socket(
        &test.path("g.sock"),
        vec![
            json("200 OK", r#"{"file":"a.rpm","sha256":"00","size":3000000}"#),
            json(
                "200 OK",
                r#"{"channel":"dev","added":["a.rpm"],"present":[], "preview": false, "removed": [], "effects": []}"#,
            ),
        ],
    );
    test.ok(&["publish", "a.rpm", "--socket", "g.sock"]);
    assert!(canned.requests()[0].ends_with(&bytes), "the file came through changed");
}

#[test]
fn missing_socket_is_unreachable() {
    TestFolder::new()
        .punch(&["channel", "list", "--socket", "gone.sock"])
        .fails(6, &["unix:gone.sock", "could not be reached"]);
}

#[test]
fn bash_completion_offers_verbs_and_nouns() {
    let test = TestFolder::new();
    let script = test.ok(&["completion", "bash"]).stdout;
    test.write("punch.bash", &script);
    let offered = |line: &str, word: usize| {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let line = format!(
            "source ./punch.bash; COMP_WORDS=({}); COMP_CWORD={word}; _punch punch \"${{COMP_WORDS[{word}]}}\" x; echo \"${{COMPREPLY[@]}}\"",
            words.join(" ")
        );
        let output = run(std::process::Command::new("bash").args(["-c", &line]).current_dir(test.path("")));
        assert_eq!(output.code, 0, "{}", output.stderr);
        output.stdout.trim().to_owned()
    };
    assert_eq!(offered("punch pub", 1), "publish");
    assert_eq!(offered("punch server re", 2), "revoke");
    assert_eq!(offered("punch server list --js", 3), "--json");
    let shells = ["zsh", "fish"];
    for shell in shells {
        assert!(test.ok(&["completion", shell]).stdout.contains("join-token"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let test = TestFolder::new();
    test.ok(&["man", "man1"]);
    for page in ["punch-publish.1", "punch-server-join-token.1", "punch-config.1"] {
        let text = test.read(&format!("man1/{page}"));
        assert!(text.contains(".SH NAME") && text.contains("Example"), "{page}:\n{text}");
    }
    let formatted = std::process::Command::new("groff")
        .args(["-man", "-ww", "-Tutf8", "-z", "man1/punch-server-list.1"])
        .current_dir(test.path(""))
        .output();
    if let Ok(formatted) = formatted {
        assert!(formatted.status.success());
        assert_eq!(String::from_utf8_lossy(&formatted.stderr), "");
    } else {
        skip("groff is not installed");
    }
}
