//! A real control plane: the program `geppetto`, served from a folder of the test.

use crate::skip::skip;
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{components::packaged, test_folder::TestFolder};

/// A running control plane; it ends with the test.
pub(crate) struct ControlPlane<'a> {
    test: &'a TestFolder,
    pub(crate) url: String,
    child: Child,
}

/// Where cargo put the other program, if it built it.
pub(crate) fn geppetto_program() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_punch")).with_file_name("geppetto");
    if path.exists() {
        return Some(path);
    }
    skip("geppetto is not built");
    None
}

/// The arguments of `punch login` or `punch join` in a note like "run `punch join URL --token-file FILE`".
pub(crate) fn address_and_fingerprint_arguments(note: &str) -> Vec<&str> {
    let command = note.split('`').nth(1).unwrap();
    command.split(' ').skip(2).take_while(|word| *word != "--token-file").collect()
}

impl<'a> ControlPlane<'a> {
    /// Serves the folder `data` of `test`; nothing when `geppetto` is not built.
    pub(crate) fn start(test: &'a TestFolder, listen: &str) -> Option<Self> {
        Self::start_with_options(test, listen, &[])
    }

    pub(crate) fn start_with_options(test: &'a TestFolder, listen: &str, options: &[&str]) -> Option<Self> {
        let _ = std::fs::remove_file(test.path("ready"));
        let mut command = Command::new(geppetto_program()?);
        command.args([
            "--data",
            "data",
            "serve",
            "--listen",
            listen,
            "--ready-file",
            "ready",
            "--log",
            "error",
        ]);
        command.args(options);
        command.current_dir(test.path("")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        for _ in 0..600 {
            if let Ok(url) = std::fs::read_to_string(test.path("ready"))
                && !url.trim().is_empty()
            {
                return Some(Self { test, url: url.trim().to_owned(), child });
            }
            assert!(child.try_wait().unwrap().is_none(), "geppetto ended before it was ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("geppetto was not ready within 30 s");
    }

    /// A control plane with shop 1.0.0 on server web-01, and `root` joined to it.
    pub(crate) fn with_shop(test: &'a TestFolder) -> Option<Self> {
        Self::with_shop_and_options(test, &[])
    }

    /// The same, served with these options.
    pub(crate) fn with_shop_and_options(test: &'a TestFolder, options: &[&str]) -> Option<Self> {
        std::fs::create_dir(test.path("data")).unwrap();
        let control_plane = Self::start_with_options(test, "127.0.0.1:0", options)?;
        let token =
            test.ok(&["token", "create", "admin", "--grant", "admin", "--socket", "data/geppetto.sock"]);
        test.write("admin.token", &token.stdout);
        test.ok(&[
            &["login"],
            &*address_and_fingerprint_arguments(&token.stderr),
            &["--token-file", "admin.token"],
        ]
        .concat());
        test.ok(&["key", "new", "--name", "Alice <a@x>", "--out", "alice.key"]);
        let public = test.ok(&["key", "public", "alice.key"]).stdout;
        test.write("alice.asc", &public);
        test.ok(&["key", "trust", "alice.asc"]);
        packaged(test, "1.0.0", Some("alice.key"));
        let files = ["dist/shop-1.0.0-1.noarch.rpm", "dist/shop-deployment-1.0.0-1.noarch.rpm"];
        test.ok(&["publish", files[0], files[1]]);
        test.ok(&["promote", "shop@1.0.0", "--from", "dev", "--to", "prod"]);
        test.write("estate/environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n");
        test.write(
            "estate/servers/web-01.yaml",
            "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n",
        );
        control_plane.import_greeting("hello");
        let token = test.ok(&["server", "join-token", "web-01"]);
        test.write("token", &token.stdout);
        let join = ["--token-file", "token", "--server", "web-01", "--root", "root"];
        test.ok(&[&["join"], &*address_and_fingerprint_arguments(&token.stderr), &join].concat());
        Some(control_plane)
    }

    /// Imports the estate with this value of the parameter `greeting`.
    pub(crate) fn import_greeting(&self, greeting: &str) {
        let role = format!(
            "format: geppetto/role/1\ncomponents: {{shop: \"*\"}}\nvalues: {{shop: {{greeting: {greeting}}}}}\n"
        );
        self.test.write("estate/roles/web.yaml", &role);
        self.test.ok(&["import", "estate"]);
    }

    /// Ends it, as a power cut would.
    pub(crate) fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.url.clone()
    }
}

impl Drop for ControlPlane<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
