//! What real readers of a YUM repository make of ours, over HTTP.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use packaging::{openpgp::PublicKeys, repository::Repository};
use ureq::Agent;

use crate::plane::{Plane, has};

/// Runs a `dnf` that knows one repository, the channel `dev`, as the guide says; returns what it wrote.
fn dnf(plane: &Plane, arguments: &[&str]) -> String {
    let home = plane.path("dnf");
    for folder in ["repos", "log"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::write(home.join("dnf.conf"), "[main]\n").unwrap();
    let url = &plane.url;
    let channel = format!(
        "[dev]\nname=dev\nbaseurl={url}/repository/dev/\ngpgkey={url}/repository/keys.asc\ngpgcheck=1\nrepo_gpgcheck=1\n"
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
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn dnf_installs_over_http_with_both_signature_checks_on() {
    if !has("dnf") {
        return;
    }
    let plane = Plane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    plane.publish_shop("1.1.0", &key, "dev");
    let said = dnf(&plane, &["makecache"]);
    assert!(said.contains("Metadata cache created."), "{said}");
    let said = dnf(&plane, &["repoquery", "--quiet", "--list", "shop"]);
    assert!(said.contains("/usr/lib/shop/shop.py"), "{said}");
    dnf(&plane, &["install", "shop-1.0.0", "shop-deployment-1.0.0"]);
    let installed = || fs::read_to_string(plane.path("dnf/root/usr/lib/shop/shop.py")).unwrap();
    assert_eq!(installed(), "print('1.0.0')\n");
    plane.publish_shop("1.2.0", &key, "dev");
    dnf(&plane, &["upgrade", "--refresh"]);
    assert_eq!(installed(), "print('1.2.0')\n");
}

#[test]
fn readers_never_see_a_signature_that_does_not_fit_however_much_is_published() {
    let plane = Plane::start();
    let key = plane.trusted_key();
    plane.publish_shop("1.0.0", &key, "dev");
    let keys = PublicKeys::from_armored(&plane.get("/repository/keys.asc", "").text()).unwrap();
    let repository = Repository::open(&plane.data().join("repository")).unwrap();
    let with_dnf = has("dnf");
    if with_dnf {
        dnf(&plane, &["makecache"]);
    }
    // Not before the key was made: that would be no good signature.
    let made = fs::metadata(plane.data().join("repository/channels/dev/repodata/repomd.xml")).unwrap();
    let now = u32::try_from(made.mtime()).unwrap();
    let (done, pairs) = (AtomicBool::new(false), AtomicUsize::new(0));
    // Some keep their connection, some come with a new one each time, as dnf does.
    let readers = [("10.0.0.1", 1), ("10.0.0.1", 1), ("10.0.0.2", 0), ("10.0.0.3", 0)];
    thread::scope(|scope| {
        for (address, connections) in readers {
            let (plane, keys, done, pairs) = (&plane, &keys, &done, &pairs);
            scope.spawn(move || {
                let agent: Agent = Agent::config_builder().max_idle_connections(connections).build().into();
                while !done.load(Ordering::Relaxed) {
                    let [repomd, signature] = ["repomd.xml", "repomd.xml.asc"].map(|file| {
                        let url = format!("{}/repository/dev/repodata/{file}", plane.url);
                        let asked = agent.get(url).header("x-forwarded-for", address).call();
                        asked.unwrap().body_mut().read_to_string().unwrap()
                    });
                    keys.verify_detached(repomd.as_bytes(), &signature).unwrap();
                    pairs.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let publisher = scope.spawn(|| {
            let mut publications = 0_u32;
            while !done.load(Ordering::Relaxed) {
                repository.rebuild(&"dev".parse().unwrap(), now).unwrap();
                publications += 1;
            }
            publications
        });
        // Whoever fails ends everybody.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if with_dnf {
                for _ in 0..5 {
                    dnf(&plane, &["makecache", "--refresh"]);
                }
            }
            for _ in 0..3000 {
                if pairs.load(Ordering::Relaxed) >= 400 {
                    return;
                }
                assert!(!publisher.is_finished());
                thread::sleep(Duration::from_millis(20));
            }
            panic!("after a minute the readers have read {pairs:?} times");
        }));
        done.store(true, Ordering::Relaxed);
        ended.unwrap();
        assert!(publisher.join().unwrap() > 50);
    });
    assert_eq!(plane.run(&["repository", "check"]).ok(), "");
}

#[test]
fn the_channel_is_what_a_plain_web_server_would_serve() {
    let plane = Plane::start();
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
