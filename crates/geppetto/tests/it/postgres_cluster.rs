//! A private cluster of PostgreSQL for tests, on a Unix socket in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock},
    time::Duration,
};

/// The cluster; the tests of one run share it.
struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    databases: Mutex<u32>,
    _lifeline: ChildStdin,
}

/// The URL of a new, empty database; `None` when PostgreSQL is not installed, which is printed, and a failure with
/// `GEPPETTO_NO_SKIP=1`.
pub(crate) fn create_database() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    Some(CLUSTER.get_or_init(Cluster::start).as_ref()?.create_database())
}

/// Where Debian or Red Hat puts the server's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain([PathBuf::from("/usr/bin")])
        .filter(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .collect();
    versions.sort();
    versions.pop()
}

impl Cluster {
    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            crate::skip::skip("PostgreSQL is not installed (`apt-get install postgresql`)");
            return None;
        };
        // Kept until the server ended with this process.
        let folder = tempfile::Builder::new().prefix("gpg-").tempdir_in("/tmp").unwrap().keep();
        Command::new("chown").arg("postgres").arg(&folder).output().unwrap();
        let data = folder.join("data");
        let initdb = ["-U", "geppetto", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        let made = as_server_user(&programs.join("initdb")).args(initdb).arg(&data).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // The shell reads until this process is gone, whatever ended it; then it ends the server and cleans up.
        let script = r#""$@" & cat > /dev/null; kill -INT $!; wait $!; rm -rf "$FOLDER""#;
        #[expect(clippy::zombie_processes, reason = "it ends after this process")]
        let mut server = as_server_user(Path::new("sh"))
            .args(["-c", script, "sh"])
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300", "-k"])
            .arg(&folder)
            .env("FOLDER", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let lifeline = server.stdin.take().unwrap();
        let cluster = Self { folder, programs, databases: Mutex::new(0), _lifeline: lifeline };
        for _ in 0..300 {
            if cluster.psql("postgres", "SELECT 1").is_ok() {
                return Some(cluster);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not answer: {}", fs::read_to_string(cluster.folder.join("log")).unwrap());
    }

    /// The URL of a new database.
    fn create_database(&self) -> String {
        let name = {
            let mut databases = self.databases.lock().unwrap();
            *databases += 1;
            format!("test_{databases}")
        };
        self.psql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        format!("postgres://geppetto@localhost/{name}?host={}", encode(&self.folder))
    }

    fn psql(&self, database: &str, statement: &str) -> Result<(), String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-U", "geppetto", "-d", database, "-c", statement, "-h"])
            .arg(&self.folder)
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn encode(path: &Path) -> String {
    path.display().to_string().replace('/', "%2F")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"))
}

/// PostgreSQL refuses to run as root: there its own user runs it.
fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]).arg(program);
    command
}
