//! Uploads, channels, repository files, retention.

use crate::skip::skip;
use std::{fs, io::Write as _, net::TcpStream, process::Command, time::Duration};

use packaging::openpgp::SecretKey;
use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE, Reply, file_name};

#[test]
fn packages_are_uploaded_published_promoted_and_listed() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    let files = plane.publish_shop("1.0.0", &key, "dev");
    plane.publish_shop("1.1.0", &key, "dev");
    let developer = plane.token("developer");
    let promotion = json!({"name": "shop", "version": "1.0.0", "from": "dev", "to": "prod"});
    let published = plane.post("/api/v1/promotions", &developer, &promotion).ok();
    assert_eq!(published["channel"], "prod");
    assert_eq!(published["added"].as_array().unwrap().len(), 2, "{published}");
    let next = json!({"name": "shop", "version": "1.0.0", "from": "dev", "preview": true});
    assert_eq!(plane.post("/api/v1/promotions", &developer, &next).ok()["channel"], "staging");
    let last = json!({"name": "shop", "version": "1.0.0", "from": "prod"});
    let detail = plane.post("/api/v1/promotions", &developer, &last).problem(409);
    assert!(
        detail.contains("`prod` is the last channel in the order of promotion (dev, staging, prod)"),
        "{detail}"
    );
    let unknown = json!({"name": "shop", "version": "1.0.0", "from": "dve"});
    let detail = plane.post("/api/v1/promotions", &developer, &unknown).problem(404);
    assert!(detail.contains("did you mean `dev`?"), "{detail}");
    let again = plane.post("/api/v1/promotions", &developer, &promotion).ok();
    assert_eq!(again["added"], json!([]));

    let first = plane.get("/api/v1/components/shop/versions?limit=1", &developer).ok();
    assert_eq!(first["items"][0]["version"], "1.1.0-1");
    let path = format!("/api/v1/components/shop/versions?after={}", first["next"].as_str().unwrap());
    let second = plane.get(&path, &developer).ok();
    assert_eq!(second["items"][0]["channels"], json!(["dev", "prod"]));
    assert_eq!(second["next"], json!(null));
    let components = plane.get("/api/v1/components", &developer).ok();
    assert_eq!(components["items"][0]["channels"], json!({"dev": "1.1.0-1", "prod": "1.0.0-1"}));
    let channels = plane.get("/api/v1/channels", &developer).ok();
    let order = channels["items"].as_array().unwrap().iter().map(|channel| channel["name"].as_str().unwrap());
    assert_eq!(
        order.collect::<Vec<_>>(),
        ["dev", "staging", "prod"],
        "the order of promotion, not of the names"
    );
    let page = plane.get("/api/v1/channels?limit=1&after=staging", &developer).ok();
    assert_eq!((&page["items"][0]["name"], &page["next"]), (&json!("prod"), &json!(null)));
    let page = plane.get("/api/v1/channels?limit=2", &developer).ok();
    assert_eq!(page["next"], "staging");
    plane.get("/api/v1/channels?after=stagin", &developer).problem(404);
    let detail = plane.get("/api/v1/components/shp/versions", &developer).problem(404);
    assert!(detail.contains("did you mean `shop`?"), "{detail}");

    let missing = json!({"name": "shop", "version": "3", "from": "dev", "to": "prod"});
    let detail = plane.post("/api/v1/promotions", &developer, &missing).problem(404);
    assert!(detail.contains("1.1.0"), "{detail}");
    let alone = json!({"files": [files[0]]});
    plane.post("/api/v1/channels/staging/publications", &developer, &alone).problem(409);
    let detail = plane.post("/api/v1/channels/stagin/publications", &developer, &alone).problem(404);
    assert!(detail.contains("did you mean `staging`?"), "{detail}");
    let backward = json!({"name": "shop", "version": "1.0.0", "from": "prod", "to": "dev"});
    let detail = plane.post("/api/v1/promotions", &developer, &backward).problem(409);
    assert!(detail.contains("order of promotion (dev, staging, prod)"), "{detail}");
    plane.post("/api/v1/channels/UPPER/publications", &developer, &alone).problem(404);
    plane.post("/api/v1/channels/dev/publications", &developer, &json!({"files": []})).problem(422);
}

#[test]
fn invalid_upload_is_refused_and_leaves_no_files() {
    let plane = ControlPlane::start_with(&["--max-package-size", "1"]);
    let key = plane.trusted_key();
    let admin = plane.admin();
    let [payload, _] = plane.shop("1.0.0", Some(&key));
    let (name, bytes) = (file_name(&payload), fs::read(&payload).unwrap());
    let path = format!("/api/v1/packages/{name}");

    plane.put(&path, "", &bytes).problem(401);
    plane.put(&path, &plane.token("viewer"), &bytes).problem(403);
    plane.put(&path, &admin, &bytes[..bytes.len() / 2]).problem(422);
    plane.put(&path, &admin, b"no package at all").problem(422);
    plane.put("/api/v1/packages/..%2f..%2fevil-1-1.noarch.rpm", &admin, &bytes).problem(422);
    plane.put("/api/v1/packages/shop-9.9.9-1.noarch.rpm", &admin, &bytes).problem(422);
    let stranger = SecretKey::generate_secret_key("Stranger", 1_700_000_000).unwrap();
    for foreign in [None, Some(&stranger)] {
        let [payload, _] = plane.shop("6.6.6", foreign);
        let path = format!("/api/v1/packages/{}", file_name(&payload));
        let detail = plane.put(&path, &admin, &fs::read(&payload).unwrap()).problem(422);
        assert!(detail.contains("sign"), "{detail}");
    }
    let large = vec![0; 2 << 20];
    let detail = plane.put("/api/v1/packages/big-1-1.noarch.rpm", &admin, &large).problem(413);
    assert!(detail.contains("1048576"), "{detail}");
    assert_eq!(uploads(&plane), 0);

    plane.put(&path, &admin, &bytes).ok();
    plane.put(&path, &admin, &bytes).ok();
    // Another build of the same version.
    fs::remove_dir_all(plane.path("shop-1.0.0")).unwrap();
    let other = SecretKey::generate_secret_key("Other", 1_700_000_001).unwrap();
    let file = plane.path("other.asc");
    fs::write(&file, other.armored_public_key().unwrap()).unwrap();
    plane.punch(&["key", "trust", file.to_str().unwrap()]).ok();
    let [payload, _] = plane.shop("1.0.0", Some(&other));
    let detail = plane.put(&path, &admin, &fs::read(payload).unwrap()).problem(409);
    assert!(detail.contains("other bytes"), "{detail}");
    assert_eq!(uploads(&plane), 0);
}

#[test]
fn refused_uploads_are_counted_in_the_audit_log_and_not_logged_one_by_one() {
    let mut plane = ControlPlane::start();
    let key = plane.trusted_key();
    let admin = plane.admin();
    let [payload, _] = plane.shop("1.0.0", Some(&key));
    let path = format!("/api/v1/packages/{}", file_name(&payload));
    let rows = |plane: &ControlPlane| -> Vec<String> {
        let log = plane.get("/api/v1/audit?limit=1000", &admin).ok();
        let entries = log["items"].as_array().unwrap().iter().rev();
        let received = entries.filter(|entry| entry["action"] == "receive");
        received.map(|entry| entry["detail"].as_str().unwrap().to_owned()).collect()
    };
    for _ in 0..20 {
        plane.put(&path, &admin, b"no package at all").problem(422);
    }
    let logged = rows(&plane);
    assert!(logged.len() == 1 && logged[0].starts_with("refused: "), "{logged:?}");
    plane.put(&path, &admin, &fs::read(&payload).unwrap()).ok();
    let logged = rows(&plane);
    assert!(logged.len() == 2 && logged[1].starts_with("done: "), "{logged:?}");
    assert!(logged[1].ends_with("; 19 more refused uploads before it are only counted"), "{logged:?}");
    for _ in 0..3 {
        plane.put(&path, &admin, b"no package at all").problem(422);
    }
    // What was only counted is written down before the end.
    plane.end("-TERM");
    plane.serve(&[]);
    assert_eq!(rows(&plane).last().unwrap(), "refused: 3 more uploads");
}

fn uploads(plane: &ControlPlane) -> usize {
    fs::read_dir(plane.data().join("repository/incoming")).unwrap().count()
}

#[test]
fn aborted_upload_leaves_no_files() {
    let plane = ControlPlane::start();
    plane.trusted_key();
    for length in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut upload = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
        write!(
            upload,
            "PUT /api/v1/packages/shop-1.0.0-1.noarch.rpm HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{length}\r\n\r\n10000\r\n",
            plane.admin()
        )
        .unwrap();
        upload.write_all(&[0; 65_536]).unwrap();
        wait(|| uploads(&plane) == 1, "the upload begins");
        drop(upload);
        wait(|| uploads(&plane) == 0, "the upload is cleared away");
    }
}

#[test]
fn more_uploads_of_one_token_than_may_wait_are_refused_with_429() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    let admin = plane.admin();
    let begin = |_| {
        let mut upload = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
        write!(
            upload,
            "PUT /api/v1/packages/shop-1.0.0-1.noarch.rpm HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {admin}\r\nexpect: 100-continue\r\ncontent-length: 100000\r\n\r\n",
        )
        .unwrap();
        upload.set_nonblocking(true).unwrap();
        upload
    };
    // Four are taken, sixteen wait, five are refused.
    let held: Vec<TcpStream> = (0..25).map(begin).collect();
    let answer = |upload: &TcpStream| {
        let mut text = [0; 4096];
        let length = upload.peek(&mut text).unwrap_or_default();
        String::from_utf8_lossy(&text[..length]).to_ascii_lowercase()
    };
    let refusals = || -> Vec<String> {
        held.iter().map(answer).filter(|text| text.starts_with("http/1.1 4") && text.contains('}')).collect()
    };
    wait(|| refusals().len() == 5, "five are refused");
    for refusal in refusals() {
        assert!(refusal.starts_with("http/1.1 429 ") && refusal.contains("retry-after: 10"), "{refusal}");
        assert!(refusal.contains("4 uploads in progress and 16 that wait"), "{refusal}");
    }
    assert_eq!(uploads(&plane), 4);
    let [payload, _] = plane.shop("1.0.0", Some(&key));
    let path = format!("/api/v1/packages/{}", file_name(&payload));
    let bytes = fs::read(&payload).unwrap();
    plane.put(&path, &plane.token("developer"), &bytes).ok();
    drop(held);
    wait(|| plane.put(&path, &admin, &bytes).status == 201, "there is room again");
}

#[track_caller]
fn wait(mut until: impl FnMut() -> bool, what: &str) {
    for _ in 0..500 {
        if until() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("after ten seconds: {what}");
}

/// A small file system of its own, gone when dropped.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(folder: std::path::PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

#[test]
fn full_disk_is_answered_with_507_and_leaves_no_files() {
    let mut plane = ControlPlane::empty();
    let Some(_small) = Small::mount(plane.data().join("repository"), "512k") else {
        skip("mounting a tmpfs is not allowed here (it needs root)");
        return;
    };
    plane.serve(&[]);
    let key = plane.trusted_key();
    let admin = plane.admin();
    let publish = |version: &str| -> Option<Reply> {
        let mut files = Vec::new();
        for path in plane.shop(version, Some(&key)) {
            let name = file_name(&path);
            let reply = plane.put(&format!("/api/v1/packages/{name}"), &admin, &fs::read(path).unwrap());
            if reply.status != 201 {
                return Some(reply);
            }
            files.push(name);
        }
        let reply = plane.post("/api/v1/channels/dev/publications", &admin, &json!({"files": files}));
        (reply.status != 200).then_some(reply)
    };
    let refusals: Vec<(usize, Reply)> =
        (0..80).filter_map(|n| Some((n, publish(&format!("1.{n}.0"))?))).take(5).collect();
    let first = refusals.first().unwrap_or_else(|| panic!("the disk was never full")).0;
    assert!(first > 0, "some fit");
    for (_, refusal) in &refusals {
        let detail = refusal.problem(507);
        assert!(detail.contains("no room left") && detail.contains("repository retain"), "{detail}");
        assert_eq!(refusal.json()["type"], "disk-full");
    }
    assert_eq!(uploads(&plane), 0);
    assert_eq!(plane.punch(&["repository", "check"]).ok(), "", "what was published before is whole");
    let versions = plane.get("/api/v1/components/shop/versions?limit=1000", &admin).ok();
    assert!(versions["items"].as_array().unwrap().len() >= first, "{versions}");
    plane.get("/api/v1/health", "").ok();
    plane.end("-TERM");
}

#[test]
fn repository_is_served_as_plain_files_with_ranges_and_etags() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    let files = plane.publish_shop("1.0.0", &key, "dev");
    let repomd = plane.get("/repository/dev/repodata/repomd.xml", "");
    assert_eq!(repomd.status, 200);
    assert!(repomd.text().contains("<repomd"));
    assert_eq!(plane.get("/repository/dev/repodata/repomd.xml.asc", "").status, 200);
    assert!(plane.get("/repository/keys.asc", "").text().contains("BEGIN PGP PUBLIC KEY BLOCK"));

    let path = format!("/repository/dev/packages/{}", files[0]);
    let whole = plane.get(&path, "");
    assert_eq!(whole.bytes, fs::read(plane.path("dist").join(&files[0])).unwrap());
    let head = plane.ask("HEAD", &path, "", &[], &[]);
    assert_eq!((head.status, head.header("content-length")), (200, whole.bytes.len().to_string().as_str()));
    let part = plane.ask("GET", &path, "", &[("range", "bytes=10-19")], &[]);
    assert_eq!((part.status, &part.bytes[..]), (206, &whole.bytes[10..20]));
    plane.ask("GET", &path, "", &[("range", "bytes=999999999-")], &[]).problem(416);
    let etag = whole.header("etag");
    assert!(!etag.is_empty());
    assert_eq!(plane.ask("GET", &path, "", &[("if-none-match", etag)], &[]).status, 304);
}

#[test]
fn files_outside_the_channels_are_not_served() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    fs::write(plane.data().join("repository/channels/dev/.hidden"), "x").unwrap();
    for path in [
        "/repository/../geppetto.db",
        "/repository/..%2fsigning.key",
        "/repository/%2e%2e/signing.key",
        "/repository/dev/../../signing.key",
        "/repository/dev/..%2f..%2fsigning.key",
        "/repository//etc/passwd",
        "/repository/signing.key",
        "/repository/dev/.hidden",
        "/repository/dev/%2ehidden",
        "/repository/dev/",
        "/repository/dev",
        "/repository",
        "/repository/dev/packages/nothing-1-1.noarch.rpm",
    ] {
        let reply = raw_get(&plane, path);
        assert!(reply.starts_with("HTTP/1.1 404") || reply.starts_with("HTTP/1.1 400"), "{path}: {reply}");
        assert!(reply.contains("application/problem+json"), "{path}: {reply}");
    }
    plane.ask("DELETE", "/repository/dev/repodata/repomd.xml", &plane.admin(), &[], &[]).problem(405);
}

/// A request whose path no client library puts in order first.
fn raw_get(plane: &ControlPlane, path: &str) -> String {
    use std::io::Read as _;
    let mut stream = TcpStream::connect(plane.url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn retention_keeps_the_newest_and_what_any_generation_of_a_node_file_needs() {
    let (plane, key) = ControlPlane::with_shop();
    plane.get("/api/v1/servers/web-01/node", &plane.admin());
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        plane.publish_shop(version, &key, "prod");
    }
    plane.get("/api/v1/servers/web-01/node", &plane.admin());
    let preview = plane.punch(&["repository", "retain", "--keep", "1", "--dry-run"]).ok();
    assert!(
        preview
            .starts_with("channel prod would no longer show:\n  - shop@1.1.0-1\n  - shop@1.2.0-1\n4 files, "),
        "{preview}"
    );
    let end = " bytes in total, would be deleted from the disk; nothing was removed (--dry-run)\n";
    assert!(preview.ends_with(end), "{preview}");
    let before = plane.get("/api/v1/components/shop/versions", &plane.admin()).ok();
    assert_eq!(before["items"].as_array().unwrap().len(), 4, "a preview removes nothing");
    let removed = plane.punch(&["repository", "retain", "--keep", "1"]).ok();
    let versions = plane.get("/api/v1/components/shop/versions", &plane.admin()).ok();
    let left: Vec<&str> =
        versions["items"].as_array().unwrap().iter().map(|item| item["version"].as_str().unwrap()).collect();
    assert_eq!(left, ["1.3.0-1", "1.0.0-1"], "{removed}");
    let preview = plane.punch(&["repository", "retain", "--keep", "1", "--dry-run"]).ok();
    assert_eq!(preview, "no file would be deleted from the disk; nothing was removed (--dry-run)\n");
    let message = plane.punch(&["repository", "retain", "--keep", "0"]).failed(2);
    assert!(message.contains("keep at least 1"), "{message}");
    let detail = plane.get("/api/v1/retention-preview?keep=0", &plane.admin()).problem(422);
    assert!(detail.contains("keep at least 1"), "{detail}");
    assert_eq!(plane.punch(&["repository", "check"]).ok(), "");
    // What is kept is really there.
    assert_eq!(plane.import(&ESTATE).ok(), "nothing to change\n");
}

#[test]
fn corruption_is_found_and_named() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    let files = plane.publish_shop("1.0.0", &key, "dev");
    assert_eq!(plane.punch(&["repository", "check"]).ok(), "");
    let path = plane.data().join("repository/channels/dev/packages").join(&files[0]);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ran = plane.punch(&["repository", "check"]);
    assert!(ran.out.contains(&files[0]), "{}", ran.out);
    ran.failed(5);
}

#[test]
fn channel_whose_metadata_is_damaged_is_written_anew() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    fs::remove_file(plane.data().join("repository/channels/dev/repodata/repomd.xml")).unwrap();
    let ran = plane.punch(&["repository", "check"]);
    assert!(ran.out.contains("repository rebuild"), "{}", ran.out);
    ran.failed(5);
    plane.punch(&["repository", "rebuild", "dev"]).ok();
    assert_eq!(plane.punch(&["repository", "check"]).ok(), "");
}
