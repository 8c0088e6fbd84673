//! The how-tos on which something is typed on another host, typed from top to bottom: the reader's part in a bash on this
//! machine, the rest as root on a booted host.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{Check, test_environment::TestEnvironment};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    documentation_page::{PageCommands, PageStep, find_missing_output_line, parse_page_steps},
    test_host::BootedHost,
};

pub(super) const DOCUMENTATION_STORY_CHECKS: &[Check] = &[
    ("every how-to with commands for a host is run here", every_page_with_hosts_is_run),
    ("adding a host goes as the page says", |test| {
        run_page_with_hosts(test, "add-a-host", SoftwareOnNewHost::Punch)
    }),
    ("a server built by hand is taken over as the page says", |test| {
        run_page_with_hosts(test, "take-over-a-hand-built-server", SoftwareOnNewHost::Punch)
    }),
    ("the Debian packages are installed, and removed, as the page says", |test| {
        run_page_with_hosts(test, "install", SoftwareOnNewHost::DebianPackages)
    }),
    ("a control plane is upgraded, and put back, as the page says", |test| {
        run_page_with_hosts(test, "upgrade", SoftwareOnNewHost::DebianPackages)
    }),
];

/// The pages that are typed here.
const PAGES: [&str; 4] = ["add-a-host", "take-over-a-hand-built-server", "install", "upgrade"];

/// What is on the hosts of a page when the reader begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SoftwareOnNewHost {
    /// punch, as a server gets it from a repository.
    Punch,
    /// Nothing but our Debian packages, as files in the home of root.
    DebianPackages,
}

/// A shell that runs the commands of a page one after the other.
struct ReaderSession {
    bash: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where what is typed and printed lies.
    notes: PathBuf,
    typed: usize,
}

fn every_page_with_hosts_is_run(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let folder = test.checkout().join("docs/how-to");
    for entry in fs::read_dir(&folder).map_err(io_failure_maker_for_path("list", &folder))? {
        let path = entry.map_err(io_failure_maker_for_path("list", &folder))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let types_on_hosts = read_steps(&path)?
            .iter()
            .any(|step| matches!(step, PageStep::RunCommands(typed) if typed.host.is_some()));
        if types_on_hosts != PAGES.contains(&name.as_str()) {
            return Err(ChoreFailure::new(format!("docs/how-to/{name}.md is not typed here"), "PAGES"));
        }
    }
    Ok(())
}

fn read_steps(page: &Path) -> Result<Vec<PageStep>, ChoreFailure> {
    let text = fs::read_to_string(page).map_err(io_failure_maker_for_path("read", page))?;
    parse_page_steps(&text).map_err(|why| ChoreFailure::new(why, page.display().to_string()))
}

fn run_page_with_hosts(
    test: &mut TestEnvironment,
    page: &str,
    software: SoftwareOnNewHost,
) -> Result<(), ChoreFailure> {
    let file = test.checkout().join("docs/how-to").join(format!("{page}.md"));
    let steps = read_steps(&file)?;
    let address = test.address_of_this_machine();
    let port = ControlPlaneProcess::find_free_port(&address)?;
    let reader = test.create_developer_workspace(&format!("e2e-{page}"))?;
    let at_port = |text: &str| text.replace(":8700", &format!(":{port}"));
    let mut session = ReaderSession::start(
        &reader.folder,
        &reader.terminal.command_for_shell_line("exec bash"),
        &[
            ("GEPPETTO_LISTEN", format!("{address}:{port}")),
            ("CONTROL_PLANE", format!("https://{address}:{port}")),
        ],
    )?;
    if software == SoftwareOnNewHost::DebianPackages {
        serve_debian_packages(test, &mut session, &address, port)?;
    }
    let mut hosts: BTreeMap<String, BootedHost> = BTreeMap::new();
    for step in &steps {
        match step {
            PageStep::WriteFile { path, text } => {
                let file = reader.folder.join(path);
                if let Some(parent) = file.parent() {
                    fs::create_dir_all(parent).map_err(io_failure_maker_for_path("create", parent))?;
                }
                fs::write(&file, at_port(text)).map_err(io_failure_maker_for_path("write", &file))?;
            }
            PageStep::RunCommands(typed) => {
                let place = format!("docs/how-to/{page}.md:{}", typed.line);
                let script = at_port(&typed.script);
                let (code, printed) = match &typed.host {
                    None => session.run_commands(&script, typed.exit_code == 0)?,
                    Some(name) => {
                        if !hosts.contains_key(name) {
                            let host = boot_host_of_page(test, page, name, software, &address, port)?;
                            hosts.insert(name.clone(), host);
                        }
                        type_on_host(&hosts[name], &session.exported_variables()?, typed, &script)?
                    }
                };
                let expected: Vec<String> = typed.expected.iter().map(|line| at_port(line)).collect();
                check(&place, typed, &expected, code, &printed)?;
            }
        }
    }
    Ok(())
}

/// Makes the Debian packages of the programs under test, and serves them to the hosts beside the control plane's port.
fn serve_debian_packages(
    test: &TestEnvironment,
    session: &mut ReaderSession,
    address: &str,
    port: u16,
) -> Result<(), ChoreFailure> {
    let script = format!(
        "{}/scripts/build-packages packages --profile {}\npython3 -m http.server {} --bind {address} --directory packages &\n",
        test.checkout().display(),
        test.cargo_profile(),
        packages_port(port),
    );
    let (code, printed) = session.run_commands(&script, true)?;
    match code {
        0 => Ok(()),
        _ => {
            Err(ChoreFailure { output: printed, ..ChoreFailure::new("the packages cannot be made", script) })
        }
    }
}

/// Where the packages are served.
fn packages_port(control_plane_port: u16) -> u16 {
    control_plane_port.checked_add(1).unwrap_or(8701)
}

fn boot_host_of_page(
    test: &mut TestEnvironment,
    page: &str,
    name: &str,
    software: SoftwareOnNewHost,
    address: &str,
    port: u16,
) -> Result<BootedHost, ChoreFailure> {
    let host =
        test.boot_host_without_joining(&format!("{}-{name}", page.split('-').next().unwrap_or(page)))?;
    match software {
        SoftwareOnNewHost::Punch => test.install_punch_of_shared_control_plane(&host)?,
        SoftwareOnNewHost::DebianPackages => {
            let from = format!("http://{address}:{}", packages_port(port));
            let typed = format!(
                "cd /root && curl -fsS {from}/SHA256SUMS -O && for file in $(grep -o '[^ ]*\\.deb' SHA256SUMS); do \
                 curl -fsS {from}/$file -O || exit 1; done"
            );
            host.root_command_shell().run_line_expecting_success(&typed)?;
        }
    }
    Ok(host)
}

fn check(
    place: &str,
    typed: &PageCommands,
    expected: &[String],
    code: i32,
    printed: &str,
) -> Result<(), ChoreFailure> {
    let failure = |what: String| ChoreFailure {
        what,
        command: Some(typed.script.clone()),
        output: printed.to_owned(),
        look: place.to_owned(),
    };
    if code != typed.exit_code {
        return Err(failure(format!("the block ended with {code}, not with {}", typed.exit_code)));
    }
    match find_missing_output_line(expected, printed) {
        Some(missing) => {
            Err(failure(format!("`{missing}` is not, or not in this order, in what was printed")))
        }
        None => Ok(()),
    }
}

fn type_on_host(
    host: &BootedHost,
    variables: &[(String, String)],
    block: &PageCommands,
    script: &str,
) -> Result<(i32, String), ChoreFailure> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let exports: String =
        variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
    let strict = if block.exit_code == 0 { "set -eu" } else { "set -u" };
    let typed = format!("exec 2>&1\ncd /root\n{strict}\n{exports}{script}");
    let typed = host.root_command_shell().run_line_to_any_exit(&typed)?;
    Ok((typed.code, typed.out))
}

impl ReaderSession {
    /// Starts the bash with the environment of `like` and these variables, in `folder`.
    fn start(
        folder: &Path,
        like: &Command,
        variables: &[(&str, String)],
    ) -> Result<ReaderSession, ChoreFailure> {
        let notes = folder.with_extension("typed");
        fs::create_dir_all(&notes).map_err(io_failure_maker_for_path("create", &notes))?;
        let mut command = Command::new("setpriv");
        command.process_group(0);
        command
            .args(["--pdeathsig", "KILL", "bash"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env_remove("GEPPETTO_DATA").envs(variables.iter().map(|(name, value)| (name, value)));
        let mut bash = command
            .spawn()
            .map_err(|error| ChoreFailure::new(format!("bash cannot be started: {error}"), "bash"))?;
        let (Some(stdin), Some(stdout)) = (bash.stdin.take(), bash.stdout.take()) else {
            return Err(ChoreFailure::new("bash has no pipes", "bash"));
        };
        Ok(ReaderSession { bash, stdin, stdout: BufReader::new(stdout), notes, typed: 0 })
    }

    /// Types commands; gives the exit code of the last and what all printed. With `is_strict` the first that fails is the
    /// last.
    fn run_commands(&mut self, script: &str, is_strict: bool) -> Result<(i32, String), ChoreFailure> {
        self.typed += 1;
        let file = self.notes.join(self.typed.to_string());
        let printed = file.with_extension("out");
        fs::write(&file, script).map_err(io_failure_maker_for_path("write", &file))?;
        let strict = if is_strict { "-eu" } else { "+eu" };
        let line = format!(
            "set {strict}; . {} < /dev/null > {} 2>&1; code=$?; set +eu; echo $code\n",
            file.display(),
            printed.display()
        );
        let answer = self.ask(&line)?;
        let output = fs::read(&printed).map_err(io_failure_maker_for_path("read", &printed))?;
        // A strict bash has ended with the command that failed.
        Ok((answer.trim().parse().unwrap_or(1), String::from_utf8_lossy(&output).into_owned()))
    }

    /// What the reader has exported, as a host is told it.
    fn exported_variables(&mut self) -> Result<Vec<(String, String)>, ChoreFailure> {
        let file = self.notes.join("environment");
        self.ask(&format!("env -0 > {}; echo\n", file.display()))?;
        let text = fs::read_to_string(&file).map_err(io_failure_maker_for_path("read", &file))?;
        let for_hosts = ["CONTROL_PLANE", "TOKEN", "FINGERPRINT"];
        Ok(text
            .split('\0')
            .filter_map(|entry| entry.split_once('='))
            .filter(|(name, _)| for_hosts.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    fn ask(&mut self, line: &str) -> Result<String, ChoreFailure> {
        let mut answer = String::new();
        let asked = self.stdin.write_all(line.as_bytes()).and_then(|()| self.stdout.read_line(&mut answer));
        asked.map_err(|error| ChoreFailure::new(format!("bash does not answer: {error}"), line))?;
        Ok(answer)
    }
}

impl Drop for ReaderSession {
    fn drop(&mut self) {
        // With everything it has started: its control plane.
        let group = format!("-{}", self.bash.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().ok();
        self.bash.wait().ok();
    }
}
