//! A developer, a control plane and a server's root folder, all below one temporary folder.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

pub(crate) struct TestEnvironment {
    folder: tempfile::TempDir,
    control_plane: Option<Child>,
    pub(crate) url: String,
}

/// How a command ended.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutput {
    /// Fails the test unless the command ended with `code`.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

impl TestEnvironment {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), control_plane: None, url: String::new() }
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(crate) fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
    }

    /// Starts the control plane on a free port.
    pub(crate) fn start_control_plane_on_free_port(&mut self) {
        let mut child = self
            .command("geppetto", "serve --data data --listen 127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let at = line.find("http://").unwrap_or_else(|| panic!("no address in the first line: {line:?}"));
        self.url = line[at..].split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned();
        self.control_plane = Some(child);
    }

    /// Stops it as an administrator would not.
    pub(crate) fn kill_control_plane(&mut self) {
        if let Some(mut child) = self.control_plane.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Runs a command line; words in it hold no spaces.
    pub(crate) fn run(&self, line: &str) -> CommandOutput {
        let (program, arguments) = line.split_once(' ').unwrap();
        let Output { status, stdout, stderr } = self.command(program, arguments).output().unwrap();
        CommandOutput {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    fn command(&self, program: &str, arguments: &str) -> Command {
        let path = if matches!(program, "punch" | "geppetto") { built(program) } else { program.into() };
        let mut command = Command::new(path);
        command
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            // Debian's rpm keeps its database in the home of who runs it; punch always takes root's.
            .env("HOME", if program == "rpm" { Path::new("/root") } else { self.folder.path() })
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .env("GEPPETTO_DATA", self.path("data"))
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        self.kill_control_plane();
    }
}

/// A program of ours, built beside this test.
fn built(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(program);
    assert!(
        path.exists(),
        "{} is not built; run `cargo build --workspace` first, as `make test` does",
        path.display()
    );
    path
}

/// All files and links below `folder`, as paths inside it.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, top: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                walk(&path, top, found);
            } else {
                found.push(path.strip_prefix(top).unwrap().display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}
