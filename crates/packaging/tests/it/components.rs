//! Components made for tests, in folders of their own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use packaging::source::ComponentSource;
use tempfile::TempDir;

/// A component's folder that lives as long as the test.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    /// A folder with this `component.yaml`, after the lines every component has.
    pub(crate) fn new(rest: &str) -> Self {
        let folder = Folder::empty();
        folder.write("component.yaml", format!("{HEAD}{rest}"))
    }

    pub(crate) fn empty() -> Self {
        Folder { dir: tempfile::tempdir().unwrap() }
    }

    /// Adds a file.
    pub(crate) fn write(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Adds a program.
    pub(crate) fn program(self, path: &str, text: &str) -> Self {
        let folder = self.write(path, text);
        fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("dist")
    }

    #[track_caller]
    pub(crate) fn load(&self) -> ComponentSource {
        ComponentSource::load_component_source(self.path()).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    /// All that is wrong with it, one mistake a line.
    #[track_caller]
    pub(crate) fn mistakes(&self) -> String {
        let errors =
            ComponentSource::load_component_source(self.path()).expect_err("it was expected to be refused");
        errors.iter().map(|error| format!("{error}\n")).collect()
    }
}

const HEAD: &str = "\
format: geppetto/component/1
name: shop
version: 1.2.0
kind: web-service
summary: Sells things
description: Sells things to people who want them.
license: Apache-2.0
url: https://example.org/shop
";

/// A component with a bit of everything.
pub(crate) fn shop() -> Folder {
    Folder::new(
        "\
files:
  - {source: src/shop.py, path: /usr/lib/shop/shop.py}
  - {source: assets, path: /usr/share/shop/assets}
  - {source: 'sql/**/*.sql', path: /usr/share/shop/sql}
  - {source: shop.conf, path: /etc/shop/shop.conf, config: true, mode: '0640', group: shop}
  - {path: /var/lib/shop, directory: true, mode: '0750', owner: shop, group: shop}
  - {path: /usr/bin/shop, symlink: ../lib/shop/shop.py}
launch:
  command: [/usr/lib/shop/shop.py, --port, '8080']
  user: shop
  writable: [/var/lib/shop]
requires: {base-lib: '>=1.2, <2', other: '^0.3'}
os_packages: {rpm: [python3], deb: [python3]}
parameters:
  http_port: {type: port, description: Where it answers, default: 8080}
",
    )
    .program("src/shop.py", "#!/usr/bin/python3\nprint('shop')\n")
    .write("assets/css/main.css", "body {}\n")
    .write("assets/index.html", "<p>shop</p>\n")
    .write("sql/001_first.sql", "SELECT 1;\n")
    .write("sql/more/002_second.sql", "SELECT 2;\n")
    .write("sql/notes.txt", "not packaged\n")
    .write("shop.conf", "port = 8080\n")
    .write(
        "deploy/manifest.yaml",
        "format: geppetto/manifest/1\nresources:\n  - service: shop\n    enabled: true\n",
    )
    .write("deploy/templates/shop.conf.j2", "port = {{ http_port }}\n")
}
