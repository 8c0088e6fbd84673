//! Packages judged by rpm and rpmlint.

use crate::skip::has_tool;
use crate::skip::skip;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use packaging::{
    openpgp::SecretKey,
    package::{PayloadAndDeploymentPackages, create_packages},
};

use crate::{
    components::{Folder, shop},
    tools::{self, NOON, run},
};

fn built(folder: &Folder) -> PayloadAndDeploymentPackages {
    create_packages(&folder.load(), &folder.out(), None, NOON).unwrap_or_else(|error| panic!("{error}"))
}

/// What `rpm -qp` says of a package file.
fn ask(file: &Path, question: &[&str]) -> String {
    run(Command::new("rpm").arg("-qp").args(question).arg(file))
}

/// Holds signed packages against `rpm -K` and `rpmlint`, with only `key` known to rpm.
pub(crate) fn judged(packages: &PayloadAndDeploymentPackages, key: &SecretKey) {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("rpmdb");
    fs::write(home.path().join(".rpmmacros"), format!("%_dbpath {}\n", database.display())).unwrap();
    fs::write(home.path().join("key.asc"), key.armored_public_key().unwrap()).unwrap();
    let files = [&packages.payload, &packages.deployment];
    if has_tool("rpm") {
        run(Command::new("rpm").env("HOME", home.path()).arg("--import").arg(home.path().join("key.asc")));
        let report = run(Command::new("rpm").env("HOME", home.path()).arg("-Kv").args(files));
        assert!(report.contains("Header V4 EdDSA/SHA"), "{report}");
        assert!(!report.contains("NOKEY") && !report.contains("BAD"), "{report}");
    }
    if has_tool("rpmlint") {
        let report = run(Command::new("rpmlint").env("HOME", home.path()).args(files));
        println!("{report}");
        assert!(report.contains(" 0 errors"), "{report}");
    }
}

#[test]
fn rpm_reads_what_the_component_said() {
    if !has_tool("rpm") {
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

#[test]
fn same_source_gives_the_same_bytes_in_any_folder() {
    let key = tools::key("builder");
    let one = shop();
    let packages = create_packages(&one.load(), &one.out(), Some(&key), NOON).unwrap();
    let other = shop();
    // Another umask, other times, another order of creation.
    let touch = |path: &str, mode: u32| {
        let path = other.path().join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    };
    touch("src/shop.py", 0o700);
    touch("assets/index.html", 0o600);
    touch("shop.conf", 0o666);
    fs::rename(other.path().join("assets/css"), other.path().join("assets/css2")).unwrap();
    fs::rename(other.path().join("assets/css2"), other.path().join("assets/css")).unwrap();
    let again = create_packages(&other.load(), &other.out(), Some(&key), NOON).unwrap();
    for (a, b) in [(&packages.payload, &again.payload), (&packages.deployment, &again.deployment)] {
        assert_eq!(a.file_name(), b.file_name());
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} differs", a.display());
    }
    let later = create_packages(&other.load(), &other.out(), Some(&key), NOON + 1).unwrap();
    assert!(fs::read(&packages.payload).unwrap() != fs::read(&later.payload).unwrap(), "the date is inside");
}

#[test]
fn rpm_and_rpmlint_find_no_fault_with_a_component_of_only_words() {
    let folder = Folder::new("test: 'true'\n");
    let key = tools::key("builder");
    let packages = create_packages(&folder.load(), &folder.out(), Some(&key), NOON).unwrap();
    judged(&packages, &key);
    if has_tool("rpm") {
        assert!(ask(&packages.payload, &["-l"]).starts_with("(contains no files)\n"));
    }
}

#[test]
fn long_line_of_a_description_is_wrapped_and_rpmlint_finds_no_fault() {
    let line = "A monitoring plugin with a very long name says in one line what it is for. ".repeat(6);
    let folder = Folder::new("test: 'true'\n");
    let text = fs::read_to_string(folder.path().join("component.yaml")).unwrap();
    let text = text.replace("Sells things to people who want them.", line.trim());
    let folder = folder.write("component.yaml", text);
    let key = tools::key("builder");
    let packages = create_packages(&folder.load(), &folder.out(), Some(&key), NOON).unwrap();
    judged(&packages, &key);
    if has_tool("rpm") {
        for package in [&packages.payload, &packages.deployment] {
            let description = ask(package, &["--nosignature", "--qf", "%{DESCRIPTION}"]);
            assert!(description.lines().all(|line| line.chars().count() < 80), "{description}");
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(&ask(&packages.payload, &["--nosignature", "--qf", "%{DESCRIPTION}"])),
            words(&line)
        );
    }
}

/// A component in two versions, of which the second has one file less and one more.
fn two_versions() -> (Folder, PayloadAndDeploymentPackages, PayloadAndDeploymentPackages) {
    let folder = Folder::new(
        "files: [{source: v, path: /usr/lib/shop}, {source: shop.conf, path: /etc/shop/shop.conf, config: true}]\n",
    )
    .write("v/one", "1")
    .write("v/deep/er/both", "1")
    .write("shop.conf", "a = 1\n");
    let first = built(&folder);
    let text = fs::read_to_string(folder.path().join("component.yaml")).unwrap();
    fs::remove_file(folder.path().join("v/one")).unwrap();
    let folder = folder
        .write("component.yaml", text.replace("version: 1.2.0", "version: 1.10.0"))
        .write("v/two", "2")
        .write("v/deep/er/both", "2");
    let second = built(&folder);
    (folder, first, second)
}

/// `rpm` on a folder instead of the host.
fn rpm_in(root: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.arg("--root").arg(root).arg("--nosignature");
    if Path::new("/etc/debian_version").exists() {
        command.arg("--force-debian");
    }
    command
}

fn paths(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            if shown.starts_with("var/lib/rpm") || shown.starts_with("root") {
                continue;
            }
            found.push(shown);
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn rpm_installs_upgrades_downgrades_and_erases_without_a_trace() {
    if !has_tool("rpm") {
        return;
    }
    let (_folder, first, second) = two_versions();
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    // What any system has.
    for dir in ["etc", "usr/lib", "usr/share", "var/lib"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let before = paths(root);
    let version = || run(rpm_in(root).args(["-q", "--qf", "%{VERSION}", "shop"]));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();

    run(rpm_in(root).arg("-U").arg(&first.payload).arg(&first.deployment));
    assert_eq!((version().as_str(), read("usr/lib/shop/deep/er/both").as_str()), ("1.2.0", "1"));
    assert_eq!(run(rpm_in(root).args(["-V", "shop", "shop-deployment"])), "");
    fs::write(root.join("etc/shop/shop.conf"), "a = mine\n").unwrap();

    run(rpm_in(root).arg("-U").arg(&second.payload).arg(&second.deployment));
    assert_eq!((version().as_str(), read("usr/lib/shop/deep/er/both").as_str()), ("1.10.0", "2"));
    assert!(!root.join("usr/lib/shop/one").exists() && root.join("usr/lib/shop/two").exists());
    assert_eq!(read("etc/shop/shop.conf"), "a = mine\n", "an edited configuration file is kept");

    tools::fails(rpm_in(root).arg("-U").arg(&first.payload));
    run(rpm_in(root).args(["-U", "--oldpackage"]).arg(&first.payload).arg(&first.deployment));
    assert_eq!((version().as_str(), read("usr/lib/shop/deep/er/both").as_str()), ("1.2.0", "1"));
    assert!(root.join("usr/lib/shop/one").exists() && !root.join("usr/lib/shop/two").exists());

    fs::write(root.join("etc/shop/shop.conf"), "a = 1\n").unwrap();
    run(rpm_in(root).args(["-e", "shop", "shop-deployment"]));
    assert_eq!(paths(root), before);
}

#[test]
fn unwritable_output_folder_is_an_error_and_leaves_no_files() {
    let folder = shop();
    fs::write(folder.path().join("taken"), "").unwrap();
    let error =
        create_packages(&folder.load(), &folder.path().join("taken"), None, NOON).unwrap_err().to_string();
    assert!(error.starts_with("cannot write packages to `"), "{error}");
    let error =
        create_packages(&folder.load(), Path::new("/proc/geppetto"), None, NOON).unwrap_err().to_string();
    assert!(error.starts_with("cannot write packages to `/proc/geppetto`: "), "{error}");
}

#[test]
fn failed_packaging_leaves_the_earlier_package_pair() {
    let folder = shop();
    let earlier = built(&folder);
    let before = fs::read(&earlier.payload).unwrap();
    // Nothing can take the name of a folder.
    fs::remove_file(&earlier.deployment).unwrap();
    fs::create_dir(&earlier.deployment).unwrap();
    let folder = folder.program("src/shop.py", "#!/usr/bin/python3\nprint('another shop')\n");
    let error = create_packages(&folder.load(), &folder.out(), None, NOON).unwrap_err().to_string();
    assert!(error.starts_with("cannot write packages to `"), "{error}");
    assert!(fs::read(&earlier.payload).unwrap() == before, "the earlier package is not what it was");
    assert_eq!(fs::read_dir(folder.out()).unwrap().count(), 2, "something is left");
    // Where there was none, none is left.
    fs::remove_file(&earlier.payload).unwrap();
    create_packages(&folder.load(), &folder.out(), None, NOON).unwrap_err();
    assert!(!earlier.payload.exists());
}

#[test]
fn full_disk_is_an_error_and_leaves_no_partial_package() {
    // A file system of one megabyte, where mounting one is allowed.
    let mounted = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(mounted.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        skip("no file system can be mounted here");
        return;
    }
    // What no compressor makes smaller.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(3_000_000)
    .collect();
    let folder = Folder::new("files: [{source: noise, path: /usr/lib/shop/noise}]\n").write("noise", noise);
    let error = create_packages(&folder.load(), mounted.path(), None, NOON);
    let left = fs::read_dir(mounted.path()).unwrap().count();
    run(Command::new("umount").arg(mounted.path()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("free some space there, or write elsewhere with `--out`"), "{error}");
    assert_eq!(left, 0);
}

/// Set in the child that packages the large component.
const LARGE: &str = "GEPPETTO_TEST_LARGE_COMPONENT";

#[test]
fn memory_does_not_grow_with_the_payload() {
    if let Some(dir) = std::env::var_os(LARGE) {
        let dir = Path::new(&dir);
        let source = packaging::source::ComponentSource::load_component_source(dir).unwrap();
        packaging::package::create_packages_with_compression(&source, &dir.join("dist"), None, NOON, 1)
            .unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        println!("peak {peak}");
        return;
    }
    let peak = |megabytes: u64| -> u64 {
        let folder = Folder::new("files: [{source: big, path: /usr/lib/shop/big}]\n").write("big", "");
        fs::File::options()
            .write(true)
            .open(folder.path().join("big"))
            .unwrap()
            .set_len(megabytes << 20)
            .unwrap();
        let text = run(Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "packages::memory_does_not_grow_with_the_payload", "--nocapture"])
            .env(LARGE, folder.path()));
        let line = text.lines().find(|line| line.contains("VmHWM")).unwrap_or_else(|| panic!("{text}"));
        if has_tool("rpm") && megabytes > 1 {
            let payload = folder.out().join("shop-1.2.0-1.noarch.rpm");
            assert!(
                run(Command::new("rpm").args(["-K", "--nosignature"]).arg(&payload)).contains("digests OK")
            );
        }
        line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
    };
    let (small, large) = (peak(1), peak(300));
    assert!(large < small + 32 * 1024, "1 MiB took {small} kB at most, 300 MiB took {large} kB");
}

#[test]
fn systemd_takes_the_units_we_generate() {
    if !has_tool("systemd-analyze") {
        return;
    }
    for rest in [
        "launch: {command: [/bin/true, 'a b', '100%', '$HOME'], user: root, environment: {A: 'x \"y\"'}, writable: ['/var/lib/a b'], after: [dbus.service]}\n",
        "launch: {command: 'exit 0', user: root, sandbox: false, restart: always}\n",
        "launch: {command: [/bin/true], user: root, ports_below_1024: true}\n",
        "schedule: {command: [/bin/true], calendar: 'Mon *-*-* 04:30', user: root}\n",
    ] {
        let folder = Folder::new(rest);
        let packages = built(&folder);
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        for unit in ["shop.service", "shop.timer"] {
            let path = format!("/usr/lib/systemd/system/{unit}");
            let text = file_of(&packages.payload, &path);
            if let Some(text) = text {
                fs::write(root.join(unit), text).unwrap();
            }
        }
        let units: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
        let message = run(Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .args(&units));
        assert!(!message.contains("shop."), "{message}");
    }
}

/// The content of one file of a package.
fn file_of(package: &Path, path: &str) -> Option<Vec<u8>> {
    let package = rpm::Package::open(package).unwrap();
    package.files().unwrap().map(Result::unwrap).find_map(|file| {
        (file.metadata.path() == Path::new(path)).then(|| file.content().map(<[u8]>::to_vec)).flatten()
    })
}
