//! A control plane for a test: a folder, the running program and a client.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use packaging::{openpgp::SecretKey, package::create_packages_with_compression, source::ComponentSource};
use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};

/// A control plane; it ends and goes away with the test.
pub(crate) struct ControlPlane {
    folder: tempfile::TempDir,
    admin: OnceLock<String>,
    child: Option<Child>,
    pub(crate) url: String,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That this is a refusal of this status in the form every refusal has; its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for part in ["type", "title", "detail"] {
            assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// That it worked; the JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self.json()
    }
}

/// What a command printed and how it ended.
pub(crate) struct CommandResult {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandResult {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// That it failed with this code, in the form every failure has; what it said.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        self.err
    }
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_geppetto"));
    for name in
        ["GEPPETTO_DATA", "GEPPETTO_LISTEN", "GEPPETTO_ADVERTISE", "GEPPETTO_LOG", "GEPPETTO_DATABASE"]
    {
        command.env_remove(name);
    }
    command
}

/// The program `punch`, which cargo puts beside this one when it builds the workspace.
pub(crate) fn punch_program() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_geppetto")).with_file_name("punch");
    assert!(path.exists(), "punch is not built: run `cargo build --workspace` first");
    path
}

/// How the audit log and the history name the user that runs the tests, through the Unix socket.
pub(crate) fn local_administrator() -> String {
    format!("local administrator (uid {})", nix::unistd::geteuid())
}

pub(crate) fn result_of(output: Output) -> CommandResult {
    CommandResult {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl ControlPlane {
    /// A folder with nothing in it yet.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), admin: OnceLock::new(), child: None, url: String::new() }
    }

    /// One that serves.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that serves, with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut plane = Self::empty();
        plane.serve(arguments);
        plane
    }

    /// Starts serving and waits until it says that it is ready.
    pub(crate) fn serve(&mut self, arguments: &[&str]) {
        let mut child = program()
            .arg("serve")
            .args(if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        assert!(line.starts_with("http"), "{line}{}", self.log());
        self.url = line.trim().to_owned();
    }

    /// Adopts the keys of another control plane on the same database.
    pub(crate) fn copy_keys_of(&self, other: &ControlPlane) {
        fs::create_dir_all(self.data().join("keys")).unwrap();
        for key in ["node.key", "store.key"] {
            let (from, to) = (other.data().join("keys").join(key), self.data().join("keys").join(key));
            fs::copy(from, to).unwrap();
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends a signal and waits for the end; the exit code.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap().code()
    }

    /// Runs a verb on this control plane's folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> CommandResult {
        result_of(program().arg("--data").arg(self.data()).args(arguments).output().unwrap())
    }

    /// Runs a verb of `punch` as the local administrator of this control plane.
    pub(crate) fn punch(&self, arguments: &[&str]) -> CommandResult {
        let mut command = Command::new(punch_program());
        for name in ["PUNCH_URL", "PUNCH_TOKEN", "PUNCH_TOKEN_FILE"] {
            command.env_remove(name);
        }
        command.env("GEPPETTO_DATA", self.data()).env("HOME", self.folder.path()).args(arguments);
        result_of(command.output().unwrap())
    }

    /// A token that may do everything; made once.
    pub(crate) fn admin(&self) -> String {
        self.admin.get_or_init(|| self.create_token("admin", &["admin"])).clone()
    }

    /// A token of this access level everywhere: `viewer-1`.
    pub(crate) fn token(&self, level: &str) -> String {
        self.create_token(&format!("{level}-1"), &[level])
    }

    /// A token with these grants.
    pub(crate) fn create_token(&self, name: &str, grants: &[&str]) -> String {
        let grants = grants.iter().flat_map(|grant| ["--grant", grant]);
        let arguments: Vec<&str> = ["token", "create", name].into_iter().chain(grants).collect();
        self.punch(&arguments).ok().trim().to_owned()
    }

    /// A server's credential, got by joining.
    pub(crate) fn credential(&self, server: &str) -> String {
        let token = self.punch(&["server", "join-token", server]).ok();
        let join = serde_json::json!({"server": server, "token": token.trim()});
        self.post("/api/v1/join", "", &join).ok()["credential"].as_str().unwrap().to_owned()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        self.ask("GET", path, token, &[], &[])
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        let body = serde_json::to_vec(body).unwrap();
        self.ask("POST", path, token, &[("content-type", "application/json")], &body)
    }

    pub(crate) fn put(&self, path: &str, token: &str, body: &[u8]) -> Reply {
        self.ask("PUT", path, token, &[], body)
    }

    /// Any request.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match (method, body) {
            ("GET" | "HEAD" | "DELETE", []) => agent.run(request.body(()).unwrap()),
            _ => agent.run(request.body(body).unwrap()),
        }
        .unwrap();
        let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), bytes }
    }

    /// Trusts a new key and gives it.
    pub(crate) fn trusted_key(&self) -> SecretKey {
        let key = SecretKey::generate_secret_key("CI", 1_700_000_000).unwrap();
        let file = self.path("ci.asc");
        fs::write(&file, key.armored_public_key().unwrap()).unwrap();
        self.punch(&["key", "trust", file.to_str().unwrap()]).ok();
        key
    }

    /// Packages a version of the component `shop` into a folder of this test; its two files.
    pub(crate) fn shop(&self, version: &str, key: Option<&SecretKey>) -> [PathBuf; 2] {
        let source = self.path(&format!("shop-{version}"));
        fs::create_dir_all(source.join("deploy")).unwrap();
        fs::write(source.join("component.yaml"), SHOP.replace("VERSION", version)).unwrap();
        fs::write(source.join("shop.py"), format!("print('{version}')\n")).unwrap();
        fs::write(source.join("deploy/manifest.yaml"), "format: geppetto/manifest/1\nresources: []\n")
            .unwrap();
        let loaded =
            ComponentSource::load_component_source(&source).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let packages =
            create_packages_with_compression(&loaded, &self.path("dist"), key, 1_700_000_000, 1).unwrap();
        [packages.payload, packages.deployment]
    }

    /// Packages, uploads and publishes a version of `shop`; the names of its files.
    pub(crate) fn publish_shop(&self, version: &str, key: &SecretKey, channel: &str) -> Vec<String> {
        self.publish_shop_as(&self.admin(), version, key, channel)
    }

    /// The same with this token.
    pub(crate) fn publish_shop_as(
        &self,
        token: &str,
        version: &str,
        key: &SecretKey,
        channel: &str,
    ) -> Vec<String> {
        let files: Vec<String> = self
            .shop(version, Some(key))
            .iter()
            .map(|path| {
                let name = file_name(path);
                self.put(&format!("/api/v1/packages/{name}"), token, &fs::read(path).unwrap()).ok();
                name
            })
            .collect();
        let publication = serde_json::json!({"files": files});
        self.post(&format!("/api/v1/channels/{channel}/publications"), token, &publication).ok();
        files
    }

    /// Writes an estate's folder.
    pub(crate) fn estate(&self, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.path("estate");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// Imports these files as the whole estate.
    pub(crate) fn import(&self, files: &[(&str, &str)]) -> CommandResult {
        self.punch(&["import", self.estate(files).to_str().unwrap()])
    }

    /// A control plane that serves, with `shop` 1.0.0 in `prod`, and the server web-01 that runs it.
    pub(crate) fn with_shop() -> (Self, SecretKey) {
        let plane = Self::start();
        let key = plane.trusted_key();
        plane.publish_shop("1.0.0", &key, "prod");
        plane.import(&ESTATE).ok();
        (plane, key)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// One server with a role in an environment.
pub(crate) const ESTATE: [(&str, &str); 3] = [
    ("environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n"),
    (
        "roles/web.yaml",
        "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {http_port: 8080, password: hunter2}}\n",
    ),
    ("servers/web-01.yaml", "format: geppetto/server/2\nenvironment: prod\nroles: [web]\n"),
];

const SHOP: &str = "\
format: geppetto/component/1
name: shop
version: VERSION
kind: web-service
summary: Sells things
license: Apache-2.0
files:
  - {source: shop.py, path: /usr/lib/shop/shop.py}
parameters:
  http_port: {type: port, description: Where it listens, default: 80}
  password: {type: string, description: Of the database, secret: true, required: true}
";
