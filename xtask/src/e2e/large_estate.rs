//! A control plane with 10,000 servers of 550 keys each, one of which is a booted host.
//!
//! It has a data folder and a developer of its own, so that the estate of the other stories stays small.

use std::fs;

use super::{
    Check,
    large_estate_environment::{LargeEstateEnvironment, SAMPLED_NODE_FILE_COUNT},
    test_environment::{TestEnvironment, join_host, run_restore_on_host},
};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    scripted_developer,
    test_host::BootedHost,
};

pub(super) const LARGE_ESTATE_STORY_CHECKS: &[Check] = &[
    ("10,000 servers are imported, and a second import changes nothing", import_all),
    ("one of them is a host, which becomes what its node file says", host_joins),
    ("an edit that reaches every server is one effect before anything happens", preview_edit),
    ("the committed edit reaches the host", commit_edit),
    ("the same value said by other places gives no server a new generation", same_value_elsewhere),
    ("an edit of one server reaches one server", edit_one_server),
    ("a killed control plane comes back without resolving anything anew", killed_and_restarted),
];

const SERVERS: usize = 10_000;

/// The server that is booted.
const HOST: &str = "web-0042";

/// How much CPU time a control plane may take that starts again and answers for the sample. Resolving all servers
/// anew takes many times that.
const RESTART_CPU_SECONDS: f64 = 5.0;

fn import_all(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let prepared = LargeEstateEnvironment::prepare_large_estate(
        test.create_developer_workspace("e2e-large")?,
        test.checkout(),
        &test.address_of_this_machine(),
        SERVERS,
    )?;
    let estate = test.large_estate.insert(prepared);
    estate.import_estate("")?.expect_text_in_output("10000 servers")?;
    estate.import_estate("")?.expect_text_in_output("nothing to change")?;
    let known = "punch server list --json | grep -o '\"name\": *\"web-[0-9]*\"' | sort -u | wc -l";
    estate.developer_shell().run_line_expecting_success(known)?.expect_text_in_output("10000").map(drop)
}

fn host_joins(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let host = test.boot_host_without_joining(HOST)?;
    let estate = large_estate(test)?;
    let control_plane = running(estate)?;
    scripted_developer::install_punch_on_host(
        &host.root_command_shell(),
        estate.developer_shell(),
        control_plane,
    )?;
    join_host(&host, estate.developer_shell(), control_plane)?;
    run_restore_on_host(&host)?;
    expect_user_on_host(&host, "sshd")?;
    host.root_command_shell().run_line_to_any_exit("punch plan")?.expect_exit_code(0, "the changes above")?;
    estate.host = Some(host);
    Ok(())
}

fn preview_edit(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let estate = large_estate(test)?;
    let before = estate.sampled_node_files()?;
    replace_in_role(estate, "    user: sshd\n", "    user: sshd-new\n")?;
    estate
        .import_estate("--dry-run")?
        .expect_text_in_output("10000 servers, 1 distinct result")?
        .expect_text_in_output("\"sshd\" -> \"sshd-new\"")?;
    expect_same_node_files(estate, &before)
}

fn commit_edit(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let estate = large_estate(test)?;
    estate
        .import_estate("--message 'sshd runs as a user of its own'")?
        .expect_text_in_output("10000 servers")?;
    let host = estate.host()?;
    host.root_command_shell().run_line_to_any_exit("punch plan")?.expect_exit_code(10, "the edit above")?;
    run_restore_on_host(host)?;
    expect_user_on_host(host, "sshd-new")?;
    let explained = format!("punch explain openssh.user --server {HOST}");
    estate
        .developer_shell()
        .run_line_expecting_success(&explained)?
        .expect_text_in_output("role base")
        .map(drop)
}

fn same_value_elsewhere(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let estate = large_estate(test)?;
    let before = estate.sampled_node_files()?;
    let folder = estate.developer.folder.join("estate/environments");
    for entry in fs::read_dir(&folder).map_err(io_failure_maker_for_path("list", &folder))? {
        let file = entry.map_err(io_failure_maker_for_path("list", &folder))?.path();
        let text = fs::read_to_string(&file).map_err(io_failure_maker_for_path("read", &file))?;
        let said = if text.contains("\n  openssh:\n") {
            text.replacen("\n  openssh:\n", "\n  openssh:\n    user: sshd-new\n", 1)
        } else {
            format!("{text}  openssh:\n    user: sshd-new\n")
        };
        fs::write(&file, said).map_err(io_failure_maker_for_path("write", &file))?;
    }
    replace_in_role(estate, "    user: sshd-new\n", "")?;
    estate.import_estate("")?.expect_text_in_output("nothing changes on any server")?;
    expect_same_node_files(estate, &before)
}

fn edit_one_server(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let estate = large_estate(test)?;
    let file = estate.developer.folder.join("estate/servers/web-0777.yaml");
    let text = fs::read_to_string(&file).map_err(io_failure_maker_for_path("read", &file))?;
    let text = text.replacen("\nvalues:\n", "\nvalues:\n  openssh:\n    user: other\n", 1);
    fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))?;
    estate
        .import_estate("")?
        .expect_text_in_output("1 server, 1 distinct result")?
        .expect_text_in_output("web-0777")?;
    let host = estate.host()?;
    host.root_command_shell()
        .run_line_to_any_exit("punch plan")?
        .expect_exit_code(0, "the edit above")
        .map(drop)
}

fn killed_and_restarted(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let estate = large_estate(test)?;
    let before = estate.sampled_node_files()?;
    if let Some(mut control_plane) = estate.control_plane.take() {
        control_plane.kill_at_once()?;
    }
    let port = estate.address.rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default();
    let typed = format!("geppetto serve --data data --listen 0.0.0.0:{port} --advertise {}", estate.address);
    let started =
        ControlPlaneProcess::start_and_wait_until_ready(estate.developer_shell(), &typed, &estate.address)?;
    let control_plane = estate.control_plane.insert(started);
    let start = control_plane.read_cpu_time()?;
    expect_same_node_files(estate, &before)?;
    run_restore_on_host(estate.host()?)?;
    let used = running(estate)?.read_cpu_time()?.elapsed_since(start).as_secs_f64();
    if used > RESTART_CPU_SECONDS {
        return Err(ChoreFailure::new(
            format!("{SAMPLED_NODE_FILE_COUNT} node files took {used:.1} s of CPU after a restart"),
            "geppetto.log in work/e2e-large",
        ));
    }
    Ok(())
}

fn large_estate(test: &mut TestEnvironment) -> Result<&mut LargeEstateEnvironment, ChoreFailure> {
    test.large_estate.as_mut().ok_or_else(|| ChoreFailure::new("nothing was imported", "the first check"))
}

fn running(estate: &LargeEstateEnvironment) -> Result<&ControlPlaneProcess, ChoreFailure> {
    estate
        .control_plane
        .as_ref()
        .ok_or_else(|| ChoreFailure::new("no control plane is running", "geppetto.log"))
}

/// What the component `openssh` of the inventory writes, which contains its user.
fn expect_user_on_host(host: &BootedHost, user: &str) -> Result<(), ChoreFailure> {
    host.root_command_shell()
        .run_line_expecting_success(&format!("grep -x 'user {user}' /etc/openssh.conf"))
        .map(drop)
}

fn replace_in_role(estate: &LargeEstateEnvironment, old: &str, new: &str) -> Result<(), ChoreFailure> {
    let file = estate.developer.folder.join("estate/roles/base.yaml");
    let text = fs::read_to_string(&file).map_err(io_failure_maker_for_path("read", &file))?;
    if !text.contains(old) {
        return Err(ChoreFailure::new(
            format!("no line `{}` to edit", old.trim()),
            file.display().to_string(),
        ));
    }
    fs::write(&file, text.replacen(old, new, 1)).map_err(io_failure_maker_for_path("write", &file))
}

fn expect_same_node_files(estate: &LargeEstateEnvironment, before: &[String]) -> Result<(), ChoreFailure> {
    if estate.sampled_node_files()? == before {
        return Ok(());
    }
    Err(ChoreFailure::new("node files differ from before", "punch server node, on the sample"))
}
