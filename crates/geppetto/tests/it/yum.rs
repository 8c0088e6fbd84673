//! What real readers of a YUM repository make of ours, over HTTP.

use crate::skip::has_tool;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use packaging::{openpgp::TrustedPublicKeys, repository::Repository};
use ureq::Agent;

use crate::control_plane::ControlPlane;

/// Runs a `dnf` that knows one repository, the channel `dev`, as the guide says; returns what it wrote.
fn dnf(plane: &ControlPlane, arguments: &[&str]) -> String {
    let home = plane.path("dnf");
    for folder in ["repos", "log"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::write(home.join("dnf.conf"), "[main]\n").unwrap();
    let url = &plane.url;
    let channel = format!(
        "[dev]\nname=dev\nmirrorlist={url}/repository/dev/mirrorlist\ngpgkey={url}/repository/keys.asc\ngpgcheck=1\nrepo_gpgcheck=1\n"
    );
    fs::write(home.join("repos/dev.repo"), channel).unwrap();
    let mut dnf = Command::new("dnf");
    dnf.env("LC_ALL", "C.UTF-8").arg("--config").arg(home.join("dnf.conf"));
    for (option, folder) in
        [("reposdir", "repos"), ("cachedir", "cache"), ("logdir", "log"), ("persistdir", "persist")]
    {
        dnf.arg(format!("--setopt={option}={}", home.join(folder).display()));
    }
    dnf.arg("--installroot").arg(home.join("root")).args(["--releasever=1", "--assumeyes"]);
    let output = dnf.args(arguments).output().unwrap();
    let message =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {message}");
    message
}

#[test]
fn dnf_installs_over_http_with_both_signature_checks_on() {
    if !has_tool("dnf") {
        return;
    }
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    plane.publish_shop("1.1.0", &key, "dev");
    let message = dnf(&plane, &["makecache"]);
    assert!(message.contains("Metadata cache created."), "{message}");
    let message = dnf(&plane, &["repoquery", "--quiet", "--list", "shop"]);
    assert!(message.contains("/usr/lib/shop/shop.py"), "{message}");
    dnf(&plane, &["install", "shop-1.0.0", "shop-deployment-1.0.0"]);
    let installed = || fs::read_to_string(plane.path("dnf/root/usr/lib/shop/shop.py")).unwrap();
    assert_eq!(installed(), "print('1.0.0')\n");
    plane.publish_shop("1.2.0", &key, "dev");
    dnf(&plane, &["upgrade", "--refresh"]);
    assert_eq!(installed(), "print('1.2.0')\n");
}

/// What a mirrorlist names.
fn generation_url(plane: &ControlPlane, host: &str) -> String {
    let reply = plane.ask("GET", "/repository/dev/mirrorlist", "", &[("host", host)], &[]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    reply.text().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn mirrorlist_names_the_current_generation_at_the_host_the_client_used() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    let first = generation_url(&plane, "repo.example.org:81");
    assert_eq!(first, "http://repo.example.org:81/repository/dev/generations/00000002/");
    plane.publish_shop("1.1.0", &key, "dev");
    assert_eq!(generation_url(&plane, "[::1]:81"), "http://[::1]:81/repository/dev/generations/00000003/");
    for host in ["user@evil", "a b"] {
        plane.ask("GET", "/repository/dev/mirrorlist", "", &[("host", host)], &[]).problem(400);
    }
    let detail = plane.get("/repository/deev/mirrorlist", "").problem(404);
    assert!(detail.contains("did you mean `dev`?"), "{detail}");
}

#[test]
fn mirrorlist_names_the_advertised_url() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut plane =
        ControlPlane::start_with(&["--listen", &address, "--advertise", "http://repo.example.org/geppetto/"]);
    plane.url = format!("http://{address}");
    assert_eq!(
        generation_url(&plane, "127.0.0.1"),
        "http://repo.example.org/geppetto/repository/dev/generations/00000001/"
    );
}

#[test]
fn files_of_a_superseded_generation_stay_as_they_were() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    let shop = plane.publish_shop("1.0.0", &key, "dev");
    let path = |generation: u32, file: &str| format!("/repository/dev/generations/{generation:08}/{file}");
    let old = plane.get(&path(2, "repodata/repomd.xml"), "");
    assert_eq!(old.header("cache-control"), "public, max-age=3600, immutable");
    plane.publish_shop("1.1.0", &key, "dev");
    assert_eq!(plane.get(&path(2, "repodata/repomd.xml"), "").bytes, old.bytes);
    assert_ne!(plane.get(&path(3, "repodata/repomd.xml"), "").bytes, old.bytes);
    let old = old.text();
    let hrefs: Vec<&str> = old.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(hrefs.len(), 3);
    for href in hrefs {
        assert_eq!(plane.get(&path(2, href), "").status, 200, "{href}");
    }
    // Clients keep metadata for days: they find its packages when the generation is long gone.
    let package = plane.get(&format!("/repository/dev/packages/{}", shop[0]), "").bytes;
    for generation in [1, 2, 3, 7] {
        let reply = plane.get(&path(generation, &format!("packages/{}", shop[0])), "");
        assert_eq!((reply.status, &reply.bytes), (200, &package), "{generation}");
    }
    assert_eq!(plane.get(&path(7, "repodata/repomd.xml"), "").status, 404);
}

#[test]
fn mirrorlist_reader_never_gets_the_signature_of_another_generation() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    let keys =
        TrustedPublicKeys::from_armored_certificates(&plane.get("/repository/keys.asc", "").text()).unwrap();
    let repository =
        Repository::open_repository_and_clean_incoming(&plane.data().join("repository")).unwrap();
    let with_dnf = has_tool("dnf");
    if with_dnf {
        // Imports the key.
        dnf(&plane, &["makecache"]);
    }
    let (done, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    // A signature made before its key is not valid.
    let made = fs::metadata(plane.data().join("repository/channels/dev/repodata/repomd.xml")).unwrap();
    let now = u32::try_from(made.mtime()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A connection for each request, as several `dnf` behind one address have.
                let agent: Agent = Agent::config_builder().max_idle_connections(0).build().into();
                let get = |url: String| agent.get(url).call().unwrap().body_mut().read_to_string().unwrap();
                while !done.load(Ordering::Relaxed) {
                    let base = get(format!("{}/repository/dev/mirrorlist", plane.url));
                    let base = base.trim_end();
                    let repomd = get(format!("{base}repodata/repomd.xml"));
                    thread::sleep(Duration::from_millis(5));
                    let signature = get(format!("{base}repodata/repomd.xml.asc"));
                    keys.verify_detached_signature(repomd.as_bytes(), &signature).unwrap();
                    read.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let publisher = scope.spawn(|| {
            let mut publications = 0_u32;
            while !done.load(Ordering::Relaxed) {
                repository.rewrite_channel_metadata_and_links(&"dev".parse().unwrap(), now).unwrap();
                publications += 1;
            }
            publications
        });
        // A panic in one thread ends the others.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if with_dnf {
                for _ in 0..8 {
                    dnf(&plane, &["makecache", "--refresh"]);
                }
                dnf(&plane, &["install", "--refresh", "shop", "shop-deployment"]);
            }
            for _ in 0..3000 {
                if read.load(Ordering::Relaxed) >= 400 {
                    return;
                }
                assert!(!publisher.is_finished());
                thread::sleep(Duration::from_millis(20));
            }
            panic!("after a minute the readers have read {read:?} times");
        }));
        done.store(true, Ordering::Relaxed);
        ended.unwrap();
        assert!(publisher.join().unwrap() > 50);
    });
    assert_eq!(plane.punch(&["repository", "check"]).ok(), "");
}

#[test]
fn served_channel_equals_its_plain_files() {
    let plane = ControlPlane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    let folder = plane.data().join("repository/channels/dev");
    let served = |file: &str| plane.get(&format!("/repository/dev/{file}"), "").bytes;
    for file in ["repodata/repomd.xml", "repodata/repomd.xml.asc"] {
        assert_eq!(served(file), fs::read(folder.join(file)).unwrap(), "{file}");
    }
    let repomd = String::from_utf8(served("repodata/repomd.xml")).unwrap();
    let hrefs = repomd.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for href in hrefs {
        assert!(Path::new(href).starts_with("repodata"), "{href}");
        assert_eq!(served(href), fs::read(folder.join(href)).unwrap(), "{href}");
    }
}
