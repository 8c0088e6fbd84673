//! A running control plane: `geppetto serve` on a data folder of its own; stopped when dropped.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
    cpu_time::CpuTimeReading,
};

/// The running control plane of a demo, end-to-end or benchmark run.
pub(crate) struct ControlPlaneProcess {
    server: Child,
    url: String,
    log: PathBuf,
}

impl ControlPlaneProcess {
    /// A port nobody listens on at `address`.
    pub(crate) fn find_free_port(address: &str) -> Result<u16, ChoreFailure> {
        TcpListener::bind((address, 0))
            .and_then(|listener| listener.local_addr())
            .map(|at| at.port())
            .map_err(|error| {
                ChoreFailure::new(format!("no port to listen on at {address}: {error}"), "ip -4 addr show")
            })
    }

    /// Starts it from `terminal` and waits until it answers. The command line is what a person would type.
    pub(crate) fn start_and_wait_until_ready(
        terminal: &CommandShell,
        typed: &str,
        url: &str,
    ) -> Result<ControlPlaneProcess, ChoreFailure> {
        let log = terminal.working_folder().join("geppetto.log");
        terminal.echo_command_line_if_enabled(&format!("{typed} &"));
        let terminal = &terminal.clone().without_echo();
        let file = fs::File::create(&log).map_err(io_failure_maker_for_path("create", &log))?;
        let errors = file.try_clone().map_err(io_failure_maker_for_path("write", &log))?;
        // It must not outlive this process, whatever ends it.
        let server = terminal
            .command_for_shell_line(&format!("exec setpriv --pdeathsig TERM {typed}"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|error| ChoreFailure::new(format!("cannot start geppetto: {error}"), "setpriv"))?;
        let mut control_plane = ControlPlaneProcess { server, url: url.to_owned(), log };
        for _ in 0..200 {
            // Whose certificate it is does not matter yet.
            if terminal.run_line_to_any_exit(&format!("curl -fsSk {url}/api/v1/health"))?.code == 0 {
                return Ok(control_plane);
            }
            if let Ok(Some(status)) = control_plane.server.try_wait() {
                return Err(control_plane.trouble(&format!("geppetto ended at once ({status})"), typed));
            }
            sleep(Duration::from_millis(50));
        }
        Err(control_plane.trouble("geppetto does not answer at its health address", typed))
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it answers, and how to recognise it: the arguments of `punch login` and `punch join`.
    pub(crate) fn address_and_fingerprint_arguments(&self) -> Result<String, ChoreFailure> {
        let log = fs::read_to_string(&self.log).map_err(io_failure_maker_for_path("read", &self.log))?;
        let fingerprint = log.split_once("fingerprint=").and_then(|(_, rest)| rest.split_whitespace().next());
        Ok(match fingerprint {
            Some(fingerprint) => format!("{} --ca-fingerprint {fingerprint}", self.url),
            None => self.url.clone(),
        })
    }

    /// The memory it holds, in bytes.
    pub(crate) fn resident_memory_bytes(&self) -> Result<u64, ChoreFailure> {
        let path = PathBuf::from(format!("/proc/{}/status", self.server.id()));
        let status = fs::read_to_string(&path).map_err(io_failure_maker_for_path("read", &path))?;
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let kilobytes = kilobytes.and_then(|number| number.parse::<u64>().ok());
        kilobytes
            .map(|number| number * 1024)
            .ok_or_else(|| self.trouble("geppetto does not run any more", "ps"))
    }

    /// Kills it, as a crash would, and waits until it is gone.
    pub(crate) fn kill_at_once(&mut self) -> Result<(), ChoreFailure> {
        let killed = self.server.kill().and_then(|()| self.server.wait());
        killed
            .map(drop)
            .map_err(|error| self.trouble(&format!("geppetto cannot be killed: {error}"), "kill -9"))
    }

    /// How much CPU time it took so far.
    pub(crate) fn read_cpu_time(&self) -> Result<CpuTimeReading, ChoreFailure> {
        CpuTimeReading::read_process_cpu_time(self.server.id())
    }

    /// Fetches a path of its API with a token, over one plain connection; anything but 200 is an error.
    pub(crate) fn fetch_raw_api_response(&self, path: &str, token: &str) -> Result<String, ChoreFailure> {
        let host = self.url.strip_prefix("http://").unwrap_or(&self.url);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        TcpStream::connect(host)
            .and_then(|mut connection| {
                connection.write_all(request.as_bytes())?;
                connection.read_to_string(&mut answer)
            })
            .map_err(|error| self.trouble(&format!("GET {path} failed: {error}"), "curl"))?;
        if !answer.starts_with("HTTP/1.1 200 ") {
            let status = answer.lines().next().unwrap_or_default();
            return Err(self.trouble(&format!("GET {path} answered `{status}`"), "curl"));
        }
        Ok(answer)
    }

    fn trouble(&self, what: &str, typed: &str) -> ChoreFailure {
        ChoreFailure {
            what: what.to_owned(),
            command: Some(typed.to_owned()),
            output: fs::read_to_string(&self.log).unwrap_or_default(),
            look: self.log.display().to_string(),
        }
    }
}

impl Drop for ControlPlaneProcess {
    fn drop(&mut self) {
        let here = CommandShell::shell_on_this_machine(Path::new("/"));
        // Politely first, so that it finishes what it writes.
        here.run_line_to_any_exit(&format!("kill {}", self.server.id())).ok();
        for _ in 0..100 {
            if !matches!(self.server.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        self.server.kill().ok();
        self.server.wait().ok();
    }
}
