//! Whole hosts to try things on: a booted Debian in a systemd container, with a network of its own.
//!
//! Everything a host needs to vanish is arranged before it boots: its mounts live in a mount namespace of
//! their own, its interfaces in its network namespace, and the container is told to halt when the process
//! that started it dies. A janitor removes what outlives a killed run (a folder, a bridge); should even
//! that fail, those names carry the run's process id and the next run sweeps them.

mod booted_host;
mod bridge_network;
mod cleanup_process;
mod control_groups;
mod host_image;
mod remove_leftovers;

use std::path::{Path, PathBuf};

pub(crate) use booted_host::BootedHost;
pub(crate) use bridge_network::BridgeNetwork;
pub(crate) use host_image::HostImage;

use crate::{chore_failure::ChoreFailure, command_shell::CommandShell};

/// Everything whose name starts so on this machine is ours to remove.
pub(crate) const TEST_RESOURCE_NAME_PREFIX: &str = "gpt-";

/// Where hosts are booted: their images, folders and network.
pub(crate) struct TestHostLauncher {
    folder: PathBuf,
    network: BridgeNetwork,
    booted: usize,
    // Dropped last: until then it would clean up after us.
    _janitor: cleanup_process::CleanupProcess,
}

impl TestHostLauncher {
    /// Prepares the network, and removes what killed runs left behind.
    pub(crate) fn create_network_and_remove_leftovers(work: &Path) -> Result<TestHostLauncher, ChoreFailure> {
        let folder = work.join("hosts");
        std::fs::create_dir_all(&folder)
            .map_err(crate::chore_failure::io_failure_maker_for_path("create", &folder))?;
        remove_leftovers::remove_leftovers_of_ended_processes(&folder);
        let janitor = cleanup_process::CleanupProcess::start_cleanup_process(&folder)?;
        Ok(TestHostLauncher {
            network: BridgeNetwork::create_bridge_network()?,
            folder,
            booted: 0,
            _janitor: janitor,
        })
    }

    /// The address of this machine that hosts reach.
    pub(crate) fn address_of_this_machine(&self) -> String {
        self.network.address_of_this_machine()
    }

    /// Boots a host named `name` on `image` and waits until its systemd is done starting.
    pub(crate) fn boot_host_and_wait(
        &mut self,
        image: &HostImage,
        name: &str,
    ) -> Result<BootedHost, ChoreFailure> {
        self.booted += 1;
        BootedHost::boot(&self.folder, &self.network, image, name, self.booted)
    }

    /// Kills everything that runs on a host at once, boots it again with what is on its disk, and waits as at first.
    pub(crate) fn kill_whole_host_and_boot_again(
        &self,
        image: &HostImage,
        host: &mut BootedHost,
    ) -> Result<(), ChoreFailure> {
        host.kill_whole_and_boot_again(&self.network, image)
    }
}

/// Why hosts cannot be booted here, in words; nothing when they can.
pub(crate) fn reason_hosts_cannot_be_booted(work: &Path) -> Option<String> {
    let here = CommandShell::shell_on_this_machine(Path::new("/"));
    let says = |typed: &str| here.run_line_to_any_exit(typed).is_ok_and(|answer| answer.code == 0);
    if !says("test \"$(id -u)\" = 0") {
        return Some("booting a host needs root".to_owned());
    }
    for tool in ["systemd-nspawn", "mmdebstrap", "ip", "nsenter", "unshare", "setpriv"] {
        if !says(&format!("command -v {tool}")) {
            return Some(format!("{tool} is not installed"));
        }
    }
    let trial = work.join("hosts").join(format!("{TEST_RESOURCE_NAME_PREFIX}{}-trial", std::process::id()));
    let mounts = says(&format!(
        "cd / && mkdir -p {0}/lower {0}/upper {0}/work {0}/root && unshare -m mount -t overlay overlay \
         -o lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work {0}/root",
        trial.display()
    ));
    // A leftover trial is harmless and swept by the next run.
    std::fs::remove_dir_all(&trial).ok();
    if !mounts {
        return Some("this machine does not let root mount an overlay".to_owned());
    }
    let bridge = format!("{TEST_RESOURCE_NAME_PREFIX}{}", std::process::id());
    if !says(&format!("ip link add {bridge} type bridge && ip link del {bridge}")) {
        return Some("this machine does not let root create a network bridge".to_owned());
    }
    None
}
