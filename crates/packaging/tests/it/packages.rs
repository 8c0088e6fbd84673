//! Packages judged by rpm and rpmlint.

use std::{fs, path::Path, process::Command};

use packaging::{
    openpgp::SecretKey,
    package::{Packages, package},
};

use crate::{
    components::{Folder, shop},
    tools::{NOON, has, run},
};

fn built(folder: &Folder) -> Packages {
    package(&folder.load(), &folder.out(), None, NOON).unwrap_or_else(|error| panic!("{error}"))
}

/// What `rpm -qp` says of a package file.
fn ask(file: &Path, question: &[&str]) -> String {
    run(Command::new("rpm").arg("-qp").args(question).arg(file))
}

/// Holds signed packages against `rpm -K` and `rpmlint`, with only `key` known to rpm.
pub(crate) fn judged(packages: &Packages, key: &SecretKey) {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("rpmdb");
    fs::write(home.path().join(".rpmmacros"), format!("%_dbpath {}\n", database.display())).unwrap();
    fs::write(home.path().join("key.asc"), key.public_armored().unwrap()).unwrap();
    let files = [&packages.payload, &packages.deployment];
    if has("rpm") {
        run(Command::new("rpm").env("HOME", home.path()).arg("--import").arg(home.path().join("key.asc")));
        let report = run(Command::new("rpm").env("HOME", home.path()).arg("-Kv").args(files));
        assert!(report.contains("Header V4 EdDSA/SHA"), "{report}");
        assert!(!report.contains("NOKEY") && !report.contains("BAD"), "{report}");
    }
    if has("rpmlint") {
        let report = run(Command::new("rpmlint").env("HOME", home.path()).args(files));
        println!("{report}");
        assert!(report.contains(" 0 errors"), "{report}");
    }
}

#[test]
fn rpm_reads_what_the_component_said() {
    if !has("rpm") {
        return;
    }
    let folder = shop();
    let packages = built(&folder);
    let requires = ask(&packages.payload, &["--requires"]);
    for line in [
        "(python3 if (system-release or distribution-release))",
        "base-lib >= 1.2",
        "base-lib < 2",
        "other >= 0.3",
        "other < 0.4~",
        "config(shop) = 1.2.0-1",
    ] {
        assert!(requires.lines().any(|found| found == line), "{line} is not in:\n{requires}");
    }
    let provides = ask(&packages.payload, &["--provides"]);
    assert!(provides.contains("geppetto-component(shop) = 1.2.0-1\n"), "{provides}");
    assert_eq!(ask(&packages.payload, &["--scripts", "--triggers"]).trim(), "");
    assert_eq!(
        ask(&packages.payload, &["-l"]).lines().collect::<Vec<_>>(),
        [
            "/etc/shop",
            "/etc/shop/shop.conf",
            "/usr/bin/shop",
            "/usr/lib/shop",
            "/usr/lib/shop/shop.py",
            "/usr/lib/systemd/system/shop.service",
            "/usr/share/shop",
            "/usr/share/shop/assets",
            "/usr/share/shop/assets/css",
            "/usr/share/shop/assets/css/main.css",
            "/usr/share/shop/assets/index.html",
            "/usr/share/shop/sql",
            "/usr/share/shop/sql/001_first.sql",
            "/usr/share/shop/sql/more",
            "/usr/share/shop/sql/more/002_second.sql",
            "/var/lib/shop",
        ]
    );
    let modes = ask(
        &packages.payload,
        &["--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\\n]"],
    );
    for line in [
        "-rw-r----- root shop /etc/shop/shop.conf",
        "-rwxr-xr-x root root /usr/lib/shop/shop.py",
        "lrwxrwxrwx root root /usr/bin/shop",
        "drwxr-x--- shop shop /var/lib/shop",
    ] {
        assert!(modes.lines().any(|found| found == line), "{line} is not in:\n{modes}");
    }
    let deployment = ask(&packages.deployment, &["-l", "--provides"]);
    assert!(deployment.contains("geppetto-deployment(shop) = 1.2.0-1\n"), "{deployment}");
    assert!(deployment.contains("/usr/share/geppetto/components/shop/templates/shop.conf.j2\n"));
    assert!(
        !ask(&packages.deployment, &["--requires"]).contains("shop"),
        "it is installed before the payload"
    );
}
