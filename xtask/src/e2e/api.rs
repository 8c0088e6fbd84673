//! The API against its own description: schemathesis makes requests from the OpenAPI document, valid and invalid ones, and
//! holds the answers against it.
//!
//! The control plane is one of its own: what is deleted, revoked and withdrawn here must be missed by nobody.

use std::fs;

use super::{Check, test_environment::TestEnvironment};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
    control_plane::ControlPlaneProcess,
    scripted_developer::{self, DeveloperWorkspace},
};

pub(super) const API_STORY_CHECKS: &[Check] = &[
    ("answers about what exists are as the description says", existing_resources),
    ("generated requests, valid and invalid, are answered as the description says", generated_requests),
];

/// What pip installs into the story's folder.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// The same requests at each run.
const SEED: u32 = 1;

/// An address of its own: plain HTTP is spoken on this machine only.
const ADDRESS: &str = "127.0.0.1";

/// How each run is judged, and where its configuration lies in the story's folder.
const CONFIGURATIONS: [(&str, &str); 2] = [
    ("existing.toml", include_str!("schemathesis-existing.toml")),
    ("generated.toml", include_str!("schemathesis.toml")),
];

fn existing_resources(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let (developer, _control_plane) = start_control_plane_of_story(test)?;
    // Only GET: nothing may be gone before it is asked for.
    run_schemathesis(&developer.terminal, "existing.toml", "--include-method GET --max-examples 20")
}

fn generated_requests(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let (developer, _control_plane) = start_control_plane_of_story(test)?;
    run_schemathesis(&developer.terminal, "generated.toml", "--max-examples 60")
}

/// A control plane on an emptied data folder, with a component, an estate and a server that has reported.
fn start_control_plane_of_story(
    test: &TestEnvironment,
) -> Result<(DeveloperWorkspace, ControlPlaneProcess), ChoreFailure> {
    let developer = test.create_developer_workspace("e2e-api")?;
    let terminal = &developer.terminal;
    let control_plane = scripted_developer::start_control_plane_on_free_port(terminal, ADDRESS)?;
    scripted_developer::log_in_and_create_trusted_developer_key(terminal, &control_plane)?;
    scripted_developer::create_and_package_two_shop_versions(&developer)?;
    terminal.run_line_expecting_success("punch publish dist/*.rpm --channel prod")?;
    for (path, text) in [
        ("environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n"),
        ("groups/paris.yaml", "format: geppetto/group/1\n"),
        ("roles/web.yaml", "format: geppetto/role/1\ncomponents: {shop: \"1.0.0\"}\n"),
        (
            "servers/web-01.yaml",
            "format: geppetto/server/2\nenvironment: prod\ngroups: [paris]\nroles: [web]\n",
        ),
    ] {
        let file = developer.folder.join("estate").join(path);
        let folder = file.parent().unwrap_or(&developer.folder);
        fs::create_dir_all(folder).map_err(io_failure_maker_for_path("create", folder))?;
        fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))?;
    }
    terminal.run_line_expecting_success("punch import estate")?;
    terminal.run_line_expecting_success("punch server join-token web-01 > web-01.token")?;
    terminal.run_line_expecting_success(&format!(
        "punch join {} --server web-01 --token-file web-01.token --root root && punch restore --root root",
        control_plane.url()
    ))?;
    for (name, text) in CONFIGURATIONS {
        let file = developer.folder.join(name);
        fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))?;
    }
    terminal.run_line_expecting_success(&format!("echo '{}' > url", control_plane.url()))?;
    install_schemathesis(terminal)?;
    Ok((developer, control_plane))
}

/// Installs schemathesis beside the story's folder, unless an earlier run did.
fn install_schemathesis(terminal: &CommandShell) -> Result<(), ChoreFailure> {
    let complete = format!("../schemathesis/bin/pip install --quiet --no-index {SCHEMATHESIS}");
    if terminal.run_line_to_any_exit(&complete)?.code == 0 {
        return Ok(());
    }
    terminal
        .run_line_expecting_success(&format!(
            "/usr/bin/python3 -m venv --clear ../schemathesis && ../schemathesis/bin/pip install --quiet {SCHEMATHESIS}"
        ))
        .map(drop)
}

fn run_schemathesis(terminal: &CommandShell, configuration: &str, options: &str) -> Result<(), ChoreFailure> {
    // The stream of events does not end by itself, so no answer to it is ever whole.
    let typed = format!(
        "../schemathesis/bin/schemathesis --config-file {configuration} run \"$(cat url)/api/v1/openapi.json\" \
         -H \"Authorization: Bearer $(tail -n 1 alice.token)\" --exclude-path /api/v1/events --checks all \
         --continue-on-failure --seed {SEED} {options}"
    );
    terminal.run_line_expecting_success(&typed).map(drop)
}
