//! The network of one run: a bridge with an address on this machine, and one cable a host.

use std::path::Path;

use super::TEST_RESOURCE_NAME_PREFIX;
use crate::{chore_failure::ChoreFailure, command_shell::CommandShell};

/// Its hardware address. Without one of its own a bridge takes another whenever a host is plugged in, and what the others
/// send is lost until they have asked for it again.
const BRIDGE_MAC: &str = "02:67:65:70:70:01";

/// A bridge; removed when dropped.
pub(crate) struct BridgeNetwork {
    bridge: String,
    /// The first three numbers of its addresses: `10.97.12`.
    subnet: String,
}

impl BridgeNetwork {
    /// Creates the bridge of this process on a subnet nobody uses.
    pub(crate) fn create_bridge_network() -> Result<BridgeNetwork, ChoreFailure> {
        let here = CommandShell::shell_on_this_machine(Path::new("/"));
        let process = std::process::id();
        let taken = here.run_line_expecting_success("ip -o -4 addr show; ip -4 route show")?.out;
        let subnet = (0..250)
            .map(|step| format!("10.97.{}", (process + step) % 250))
            .find(|subnet| !taken.contains(&format!("{subnet}.")))
            .ok_or_else(|| {
                ChoreFailure::new(
                    "all networks 10.97.0.0/24 to 10.97.249.0/24 are in use",
                    "ip -4 route show",
                )
            })?;
        let network = BridgeNetwork { bridge: format!("{TEST_RESOURCE_NAME_PREFIX}{process}"), subnet };
        here.run_line_expecting_success(&format!(
            "ip link add {0} address {BRIDGE_MAC} type bridge && ip addr add {1}/24 dev {0} && ip link set {0} up",
            network.bridge,
            network.address_of_this_machine()
        ))?;
        Ok(network)
    }

    /// This machine's address on it.
    pub(crate) fn address_of_this_machine(&self) -> String {
        format!("{}.1", self.subnet)
    }

    /// The address of the host with this number (from 1).
    pub(crate) fn address_of_host_number(&self, number: usize) -> String {
        format!("{}.{}", self.subnet, number + 1)
    }

    /// The name of this machine's end of a host's cable.
    pub(crate) fn veth_name_of_host(&self, number: usize) -> String {
        format!("{}-{number}", self.bridge)
    }

    /// Plugs a host's cable in and gives the host its address. `pid` is the host's first process.
    pub(crate) fn attach_host(&self, number: usize, pid: u32) -> Result<(), ChoreFailure> {
        let here = CommandShell::shell_on_this_machine(Path::new("/"));
        here.run_line_expecting_success(&format!(
            "ip link set {} master {} up",
            self.veth_name_of_host(number),
            self.bridge
        ))?;
        here.run_line_expecting_success(&format!(
            "nsenter -t {pid} -n sh -c 'ip addr add {}/24 dev host0 && ip link set lo up && ip link set host0 up \
             && ip route add default via {}'",
            self.address_of_host_number(number),
            self.address_of_this_machine()
        ))?;
        Ok(())
    }
}

impl Drop for BridgeNetwork {
    fn drop(&mut self) {
        // Nothing to do about a failure here; the next run sweeps it.
        CommandShell::shell_on_this_machine(Path::new("/"))
            .run_line_to_any_exit(&format!("ip link del {}", self.bridge))
            .ok();
    }
}
