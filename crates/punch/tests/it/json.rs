//! `--json`: every verb has it, for its data and for its errors.

use std::collections::BTreeSet;

use crate::{
    control_plane::ControlPlane, json_reference::JsonReference, reference::commands, test_folder::TestFolder,
};

/// Verbs without one JSON value on stdout, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("event follow", "a stream: one JSON value a line, as long as the control plane runs"),
    ("job cancel", "a job that ended before it is asked to stop makes it an error"),
];

/// The verbs that have no verbs below them.
fn leaf_verbs(test: &TestFolder) -> BTreeSet<String> {
    let mut open: Vec<Vec<String>> = vec![vec![]];
    let mut leaves = BTreeSet::new();
    while let Some(command) = open.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let below = commands(&test.ok(&[words.as_slice(), &["--help"]].concat()).stdout);
        if below.is_empty() {
            leaves.insert(command.join(" "));
        }
        open.extend(below.into_iter().map(|verb| [command.as_slice(), &[verb]].concat()));
    }
    leaves
}

/// One call of each verb, in an order in which all of them succeed; BOB is the fingerprint of a key, JOB the number of a job that ended.
const CALLS: [&str; 46] = [
    "archetypes",
    "new web-service till",
    "lint till",
    "test till --no-build",
    "package shop --out again --no-build",
    "key new --name Bob --out bob.key",
    "key public bob.key",
    "key trust bob.asc",
    "key list",
    "key withdraw BOB",
    "whoami",
    "config",
    "publish dist/shop-1.0.0-1.noarch.rpm dist/shop-deployment-1.0.0-1.noarch.rpm",
    "channel create last",
    "promote shop@1.0.0 --from dev --to last",
    "withdraw shop@1.0.0 --from last",
    "component list",
    "component show shop",
    "channel list",
    "repository check",
    "repository retain --keep 5 --dry-run",
    "repository retain --keep 5",
    "repository rebuild dev",
    "job list",
    "job show JOB",
    "job retry JOB",
    "export exported",
    "import exported --dry-run",
    "revision list",
    "revision show 1",
    "revision diff 0 1",
    "server list",
    "server show web-01",
    "server node web-01",
    "server enc web-01",
    "server join-token web-01",
    "audit list",
    "token list",
    "plan --root root",
    "restore --root root",
    "explain --root root",
    "status --root root",
    "history --root root",
    "server revoke web-01 --dry-run",
    "completion bash",
    "man man1",
];

#[test]
fn every_verb_prints_one_json_value() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop(&test) else { return };
    let mut called = BTreeSet::new();
    let leaves = leaf_verbs(&test);
    let reference = JsonReference::load_json_reference();
    let mut call = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let output = test.punch(&[words.as_slice(), &["--json"]].concat());
        assert!(matches!(output.code, 0 | 10), "punch {line}\n{}\n{}", output.stdout, output.stderr);
        let value: serde_json::Value = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("punch {line} --json: {error}:\n{}", output.stdout));
        reference.assert_value_is_as_described(line, &value);
        called.extend(
            leaves.iter().filter(|leaf| line == *leaf || line.starts_with(&format!("{leaf} "))).cloned(),
        );
        value
    };
    let (mut bob, mut job) = (String::new(), String::new());
    for line in CALLS {
        let value = call(&line.replace("BOB", &bob).replace("JOB", &job));
        if line == "repository check" {
            job = value["id"].to_string();
        }
        if line.starts_with("key public") {
            test.write("bob.asc", value["public"].as_str().unwrap());
            bob = value["fingerprint"].as_str().unwrap().to_owned();
        }
    }
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {}\n");
    call("apply node.yaml --repository dist --root other --allow-unsigned");
    test.write("node.yaml", "format: geppetto/node/1\ncomponents: {shop: {version: 1.0.0}}\n");
    call("apply node.yaml --repository dist --root other --allow-unsigned");
    call("rollback --repository dist --root other --allow-unsigned --dry-run");
    call("hold --until 2h --root other");
    call("hold --release --root other");
    call(&format!("job retry {job}"));
    call("token create ci --grant viewer");
    let shown = call("token revoke ci --dry-run");
    assert_eq!((shown["name"].as_str(), shown["state"].as_str()), (Some("ci"), Some("valid")));
    call("token revoke ci");
    call("user create ann --grant viewer");
    call("user grant ann --grant viewer --grant operator:staging");
    assert_eq!(call("user list")[0]["state"], "invited");
    call("user password-link ann");
    call("user disable ann");
    call("server revoke web-01");
    let token = call("server join-token web-01")["token"].as_str().unwrap().to_owned();
    let url = control_plane.url.as_str();
    call(&format!("join {url} --token {token} --server web-01 --root root"));
    call(&format!("login {url} --token-file admin.token"));
    call("logout");
    let mut missing: BTreeSet<&str> = leaves.iter().map(String::as_str).collect();
    missing.retain(|leaf| !called.contains(*leaf) && !EXCEPTIONS.iter().any(|(verb, _)| verb == leaf));
    assert_eq!(missing, BTreeSet::new(), "add a call of each new verb to this test");
}

#[test]
fn every_verb_prints_its_errors_as_json() {
    let test = TestFolder::new();
    let error = |arguments: &[&str], code: i32| {
        let output = test.punch(arguments);
        output.fails(code, &[]);
        assert_eq!(output.stdout, "", "{arguments:?}");
        let line = output.stderr.lines().last().unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", output.stderr));
        assert_eq!(value["error"]["exit"], code, "{arguments:?}");
        value["error"]["message"].as_str().unwrap().to_owned()
    };
    for verb in leaf_verbs(&test) {
        let words: Vec<&str> = verb.split(' ').collect();
        let message = error(&[&words[..], &["--json", "--no-such-option"]].concat(), 2);
        assert!(message.contains("unexpected argument '--no-such-option' found"), "{verb}: {message}");
        assert!(!message.contains("Usage:"), "{message}");
    }
    for words in [["server", "--json"], ["--json", "server"]] {
        let message = error(&words, 2);
        assert_eq!(message, "'punch server' requires a subcommand but one was not provided");
    }
    error(&["lint", "nowhere", "--json", "extra"], 2);
    let message = error(&["channel", "list", "--json", "--url", "http://127.0.0.1:1"], 6);
    assert!(message.contains("could not be reached"), "{message}");
}

#[test]
fn usage_error_as_json_is_one_sentence_and_a_hint() {
    let test = TestFolder::new();
    let usage = "`punch help VERB` shows how a verb is used";
    for (arguments, message, advice) in [
        (vec!["publsh"], "unrecognized subcommand 'publsh'", "a similar subcommand exists: 'publish'; "),
        (
            vec!["withdraw"],
            "the following required arguments were not provided: --from <CHANNEL>, <NAME@VERSION>",
            "",
        ),
        (
            vec!["plan", "--color", "green"],
            "invalid value 'green' for '--color <WHEN>'",
            "possible values: auto, always, never; ",
        ),
        (
            vec!["import", "estate", "--dry"],
            "unexpected argument '--dry' found",
            "a similar argument exists: '--dry-run'; ",
        ),
    ] {
        let output = test.punch(&[&["--json"], arguments.as_slice()].concat());
        output.fails(2, &[]);
        let value: serde_json::Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(value["error"]["message"], message);
        assert_eq!(value["error"]["hint"], format!("{advice}{usage}"));
    }
}
