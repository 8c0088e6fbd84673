//! One booted host: start, type, copy in, power off.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{
    BridgeNetwork, HostImage, TEST_RESOURCE_NAME_PREFIX,
    control_groups::{CONTROL_GROUP_MOUNT_FOLDERS, remove_empty_control_group_tree},
};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
};

/// How often a state is looked at while waiting for it.
const TICK: Duration = Duration::from_millis(50);

/// A running host; powered off and removed when dropped.
pub(crate) struct BootedHost {
    name: String,
    number: usize,
    address: String,
    machine: String,
    folder: PathBuf,
    container: Child,
    /// Its first process, as this machine numbers it.
    init: u32,
}

impl BootedHost {
    pub(super) fn boot(
        hosts: &Path,
        network: &BridgeNetwork,
        image: &HostImage,
        name: &str,
        number: usize,
    ) -> Result<BootedHost, ChoreFailure> {
        let machine = format!("{TEST_RESOURCE_NAME_PREFIX}{}-{number}", std::process::id());
        let folder = hosts.join(&machine);
        for part in ["upper/etc", "scratch", "root"] {
            fs::create_dir_all(folder.join(part)).map_err(io_failure_maker_for_path("create", &folder))?;
        }
        let etc = folder.join("upper/etc");
        let names = format!("127.0.0.1 localhost\n{} {name}\n", network.address_of_host_number(number));
        // No name server is within its reach: better none than one to wait for.
        for (file, text) in
            [("hostname", format!("{name}\n")), ("hosts", names), ("resolv.conf", String::new())]
        {
            fs::write(etc.join(file), text).map_err(io_failure_maker_for_path("write", &etc.join(file)))?;
        }
        let container = start_container(network, image, &folder, &machine, number)?;
        let mut host = BootedHost {
            name: name.to_owned(),
            number,
            address: network.address_of_host_number(number),
            machine,
            folder,
            container,
            init: 0,
        };
        host.attach_and_wait_until_started(network)?;
        Ok(host)
    }

    /// Kills everything that runs on it at once, and boots it again with what is on its disk.
    pub(super) fn kill_whole_and_boot_again(
        &mut self,
        network: &BridgeNetwork,
        image: &HostImage,
    ) -> Result<(), ChoreFailure> {
        // With the first process of a process namespace the kernel kills all others.
        let here = CommandShell::shell_on_this_machine(Path::new("/"));
        here.run_line_expecting_success(&format!("kill -9 {}", self.init))?;
        self.container.wait().map_err(io_failure_maker_for_path("wait for", &self.folder))?;
        self.init = 0;
        self.container = start_container(network, image, &self.folder, &self.machine, self.number)?;
        self.attach_and_wait_until_started(network)
    }

    fn attach_and_wait_until_started(&mut self, network: &BridgeNetwork) -> Result<(), ChoreFailure> {
        self.init = self.wait_for("its first process", 100, BootedHost::first_process)?;
        network.attach_host(self.number, self.init)?;
        self.wait_for("its systemd to finish starting", 1200, |host| {
            let state =
                host.root_command_shell().run_line_to_any_exit("systemctl is-system-running").ok()?.out;
            ["running", "degraded"].contains(&state.trim()).then_some(())
        })
    }

    /// The address it is reached at.
    pub(crate) fn ip_address(&self) -> &str {
        &self.address
    }

    /// The name it was booted with.
    pub(crate) fn host_name(&self) -> &str {
        &self.name
    }

    /// A root shell on it.
    pub(crate) fn root_command_shell(&self) -> CommandShell {
        let enter = format!(
            "nsenter -t {} -m -u -i -n -p -r -w -- env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            self.init
        );
        CommandShell::shell_running_behind_prefix(
            &format!("{}#", self.name),
            enter.split_whitespace().map(str::to_owned).collect(),
        )
    }

    /// The container's systemd: the child of `systemd-nspawn` that is process 1 in its own namespace.
    fn first_process(&self) -> Option<u32> {
        let starter = self.container.id();
        let children = fs::read_to_string(format!("/proc/{starter}/task/{starter}/children")).ok()?;
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let first = status
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:"))
                .is_some_and(|ids| ids.split_whitespace().collect::<Vec<_>>()[1..] == ["1"]);
            // The cable is there once the container's own systemd has been started.
            first && status.contains("Name:\tsystemd\n")
        })
    }

    fn wait_for<T>(
        &mut self,
        what: &str,
        ticks: u32,
        look: impl Fn(&BootedHost) -> Option<T>,
    ) -> Result<T, ChoreFailure> {
        for _ in 0..ticks {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if let Ok(Some(status)) = self.container.try_wait() {
                return Err(self.trouble(format!("the host {} ended while booting ({status})", self.name)));
            }
            sleep(TICK);
        }
        Err(self.trouble(format!("waited too long for {what} on the host {}", self.name)))
    }

    fn trouble(&self, what: String) -> ChoreFailure {
        let console = fs::read_to_string(self.folder.join("console.log")).unwrap_or_default();
        let lines: Vec<&str> = console.lines().collect();
        ChoreFailure {
            what,
            command: None,
            output: lines[lines.len().saturating_sub(30)..].join("\n"),
            look: "its console above; `cargo xtask host` boots one to look around in".to_owned(),
        }
    }
}

impl Drop for BootedHost {
    fn drop(&mut self) {
        let here = CommandShell::shell_on_this_machine(Path::new("/"));
        if self.init != 0 {
            // SIGRTMIN+4 asks a systemd to power off.
            here.run_line_to_any_exit(&format!("kill -s RTMIN+4 {0} || kill -38 {0}", self.init)).ok();
        }
        for _ in 0..100 {
            if !matches!(self.container.try_wait(), Ok(None)) {
                break;
            }
            sleep(TICK);
        }
        if matches!(self.container.try_wait(), Ok(None)) {
            if self.init != 0 {
                here.run_line_to_any_exit(&format!("kill -9 {}", self.init)).ok();
            }
            self.container.kill().ok();
            self.container.wait().ok();
        }
        fs::remove_dir_all(&self.folder).ok();
        for tree in CONTROL_GROUP_MOUNT_FOLDERS {
            remove_empty_control_group_tree(&Path::new(tree).join(&self.machine));
        }
        fs::remove_dir(Path::new("/run/systemd/nspawn/propagate").join(&self.machine)).ok();
    }
}

fn start_container(
    network: &BridgeNetwork,
    image: &HostImage,
    folder: &Path,
    machine: &str,
    number: usize,
) -> Result<Child, ChoreFailure> {
    let console =
        fs::File::create(folder.join("console.log")).map_err(io_failure_maker_for_path("create", folder))?;
    let errors = console.try_clone().map_err(io_failure_maker_for_path("write", folder))?;
    Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "unshare", "-m", "sh", "-c"])
        .arg(script(image, folder, machine, &network.veth_name_of_host(number)))
        .stdin(Stdio::null())
        .stdout(console)
        .stderr(errors)
        .spawn()
        .map_err(|error| ChoreFailure::new(format!("cannot start a container: {error}"), "setpriv, unshare"))
}

/// What runs in the mount namespace of its own: a control group, the overlay, the container.
///
/// The control group matters: without one, two containers would share a systemd tree.
fn script(image: &HostImage, folder: &Path, machine: &str, cable: &str) -> String {
    let folder = folder.display();
    format!(
        "for tree in {groups}; do
           [ -e $tree/cgroup.procs ] && mkdir -p $tree/{machine} && echo $$ > $tree/{machine}/cgroup.procs
         done
         mount -t overlay overlay -o lowerdir={layers},upperdir={folder}/upper,workdir={folder}/scratch \
           {folder}/root || exit 9
         exec systemd-nspawn --quiet -D {folder}/root --boot --register=no --keep-unit --machine={machine} \
           --network-veth-extra={cable}:host0 --link-journal=no --resolv-conf=off --timezone=off --console=pipe",
        groups = CONTROL_GROUP_MOUNT_FOLDERS.join(" "),
        layers = image.overlay_mount_lowerdir_text(),
    )
}
