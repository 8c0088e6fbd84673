//! TLS with the control plane's own authority, which clients know by its fingerprint.

use crate::{
    control_plane::{ControlPlane, address_and_fingerprint_arguments},
    skip::has_tool,
    test_folder::{TestFolder, mode, run},
};
use std::process::Command;

#[test]
fn host_that_knows_the_fingerprint_joins_and_restores_over_tls() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop_and_options(&test, &["--own-certificate"]) else {
        return;
    };
    assert!(control_plane.url.starts_with("https://127.0.0.1:"), "{}", control_plane.url);
    test.ok(&["restore", "--root", "root"]);
    assert!(test.read("root/etc/shop/shop.conf").contains("hello"));
    let saved = test.read("home/.config/geppetto/punch.yaml");
    assert!(saved.contains("ca.pem"), "{saved}");
    assert_eq!(mode(&test.path("home/.config/geppetto/ca.pem")), 0o600);
}

#[test]
fn token_is_sent_only_to_the_authority_with_the_fingerprint() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop_and_options(&test, &["--own-certificate"]) else {
        return;
    };
    let saved = test.read("home/.config/geppetto/punch.yaml");
    let url = control_plane.url.as_str();
    let login = |more: &[&str]| test.punch(&[&["login", url, "--token-file", "admin.token"], more].concat());
    login(&[]).fails(6, &["authority that is not known here", "--ca-fingerprint"]);
    let other = format!("sha256:{}", "ab".repeat(32));
    login(&["--ca-fingerprint", &other]).fails(
        1,
        &[
            "does not present the certificate authority with this fingerprint",
            "nothing was sent",
            "not of the server's own",
        ],
    );
    login(&["--ca-fingerprint", "md5:ab"]).fails(2, &["64 hexadecimal digits"]);
    assert_eq!(test.read("home/.config/geppetto/punch.yaml"), saved, "the earlier login stays");
    let token = test.ok(&["token", "create", "ann", "--grant", "viewer"]);
    assert_eq!(address_and_fingerprint_arguments(&token.stderr)[0], url);
}

#[test]
fn certificate_that_is_its_own_authority_is_explained() {
    if !has_tool("openssl") {
        return;
    }
    let test = TestFolder::new();
    let made = run(Command::new("openssl").current_dir(test.path("")).args([
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-days",
        "2",
        "-subj",
        "/CN=geppetto",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        "tls.key",
        "-out",
        "tls.pem",
    ]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    std::fs::create_dir(test.path("data")).unwrap();
    let options = ["--tls-certificate", "tls.pem", "--tls-key", "tls.key"];
    let Some(control_plane) = ControlPlane::start_with_options(&test, "127.0.0.1:0", &options) else {
        return;
    };
    test.write("token", "abc");
    let login = ["login", &control_plane.url, "--token-file", "token", "--ca-file", "tls.pem"];
    test.punch(&login).fails(6, &["is one of an authority, not one for a server", "--tls-certificate"]);
}

#[test]
fn plain_and_tls_mixed_up_are_told_apart() {
    let test = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop_and_options(&test, &["--own-certificate"]) else {
        return;
    };
    let plain = control_plane.url.replace("https://", "http://");
    test.punch(&["login", &plain, "--token-file", "admin.token"])
        .fails(1, &["this port speaks TLS: write https://"]);
    let other = TestFolder::new();
    let Some(control_plane) = ControlPlane::with_shop(&other) else { return };
    let encrypted = control_plane.url.replace("http://", "https://");
    other
        .punch(&["login", &encrypted, "--token-file", "admin.token"])
        .fails(6, &["does not speak TLS on this port", "http://"]);
}
