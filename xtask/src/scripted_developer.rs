//! What every story starts with: a fresh folder, a developer's terminal, a control plane he is signed in to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::CommandShell,
    control_plane::ControlPlaneProcess,
};

/// A fresh folder and a developer who types in it.
pub(crate) struct DeveloperWorkspace {
    /// The folder, which is also his home.
    pub(crate) folder: PathBuf,
    /// His terminal: our programs come first in its path.
    pub(crate) terminal: CommandShell,
}

impl DeveloperWorkspace {
    /// Empties `work/NAME` and opens a terminal there.
    pub(crate) fn create_emptied_workspace(
        root: &Path,
        work: &Path,
        name: &str,
        programs: &Path,
        profile: &str,
    ) -> Result<DeveloperWorkspace, ChoreFailure> {
        for program in ["geppetto", "punch"] {
            let path = programs.join(program);
            if !path.exists() {
                return Err(ChoreFailure::new(
                    format!("{} is not there", path.display()),
                    format!("`make build` in {} makes it", root.display()),
                ));
            }
        }
        let folder = work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(io_failure_maker_for_path("empty", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(io_failure_maker_for_path("create", &folder))?;
        let home = folder.display().to_string();
        let terminal = CommandShell::shell_on_this_machine(&folder)
            .with_environment_variable("PATH", format!("{}:{}", programs.display(), path()))
            .with_environment_variable("HOME", &home)
            .with_environment_variable("USER", "alice")
            .with_environment_variable("XDG_CONFIG_HOME", format!("{home}/.config"))
            // Cargo and rustup keep what they need in the real home.
            .with_environment_variable("CARGO_HOME", cargo_home("CARGO_HOME", ".cargo"))
            .with_environment_variable("RUSTUP_HOME", cargo_home("RUSTUP_HOME", ".rustup"))
            .with_environment_variable("GEPPETTO_DATA", format!("{home}/data"))
            .with_environment_variable("GEPPETTO_PROFILE", profile);
        Ok(DeveloperWorkspace { folder, terminal })
    }
}

/// Where `punch login` keeps the certificate of the control plane's authority, in the developer's folder.
pub(crate) const DEVELOPER_CA_FILE: &str = ".config/geppetto/ca.pem";

/// Starts the control plane at `address` on a free port.
pub(crate) fn start_control_plane_on_free_port(
    terminal: &CommandShell,
    address: &str,
) -> Result<ControlPlaneProcess, ChoreFailure> {
    let port = ControlPlaneProcess::find_free_port(address)?;
    // Beyond the machine itself it speaks TLS.
    let scheme = if address.starts_with("127.") { "http" } else { "https" };
    ControlPlaneProcess::start_and_wait_until_ready(
        terminal,
        &format!(
            "geppetto serve --data data --listen {address}:{port} --advertise {scheme}://{address}:{port}"
        ),
        &format!("{scheme}://{address}:{port}"),
    )
}

/// Signs the developer in, makes his key and has the repository trust it.
pub(crate) fn log_in_and_create_trusted_developer_key(
    terminal: &CommandShell,
    control_plane: &ControlPlaneProcess,
) -> Result<(), ChoreFailure> {
    // Beside the control plane nobody needs a token to make one.
    terminal.run_line_expecting_success("punch token create alice --grant admin > alice.token")?;
    terminal.run_line_expecting_success(&format!(
        "punch login {} --token-file alice.token",
        control_plane.address_and_fingerprint_arguments()?
    ))?;
    terminal
        .run_line_expecting_success("punch key new --name 'Alice <alice@example.org>' --out alice.key")?;
    terminal.run_line_expecting_success("punch key public alice.key > alice.asc")?;
    terminal.run_line_expecting_success("punch key trust alice.asc").map(drop)
}

/// Makes the component `shop` from its archetype, and packages two versions that differ visibly.
pub(crate) fn create_and_package_two_shop_versions(
    developer: &DeveloperWorkspace,
) -> Result<(), ChoreFailure> {
    let terminal = &developer.terminal;
    terminal.run_line_expecting_success("punch new web-service shop --set version=1.0.0")?;
    terminal.run_line_expecting_success("punch test shop")?;
    terminal.run_line_expecting_success("punch lint shop")?;
    terminal.run_line_expecting_success("punch package shop --out dist --key alice.key")?;
    package_second_shop_version(terminal)
}

/// Raises the version of `shop`, which it shows, and packages it.
pub(crate) fn package_second_shop_version(terminal: &CommandShell) -> Result<(), ChoreFailure> {
    terminal.run_line_expecting_success("sed -i 's/^version: .*/version: 1.1.0/' shop/component.yaml")?;
    terminal.run_line_expecting_success(
        "sed -i 's#<p>{title} {version}</p>#<p>{title} {version}, now with a footer</p>#' shop/src/shop.py",
    )?;
    terminal.run_line_expecting_success("punch package shop --out dist --key alice.key").map(drop)
}

/// `NAME@VERSION` of every component whose deployment package is in `dist`.
pub(crate) fn list_component_versions_in_folder(dist: &Path) -> Result<Vec<String>, ChoreFailure> {
    let mut found: Vec<String> = fs::read_dir(dist)
        .map_err(io_failure_maker_for_path("list", dist))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| {
            let (name, rest) = file.strip_suffix("-1.noarch.rpm")?.rsplit_once("-deployment-")?;
            Some(format!("{name}@{rest}"))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Installs punch on a host by the host's own rpm, as a person would: with the certificate of the control plane's
/// authority, which the developer got when he logged in.
pub(crate) fn install_punch_on_host(
    shell: &CommandShell,
    developer: &CommandShell,
    control_plane: &ControlPlaneProcess,
) -> Result<(), ChoreFailure> {
    let authority = developer.working_folder().join(DEVELOPER_CA_FILE);
    let authority = fs::read_to_string(&authority).map_err(io_failure_maker_for_path("read", &authority))?;
    shell
        .clone()
        .without_echo()
        .run_line_expecting_success(&format!("cat > ca.pem <<'PEM'\n{authority}PEM\n"))?;
    shell.run_line_expecting_success(&format!(
        "curl -fsSO --cacert ca.pem {}/repository/prod/packages/punch-0.1.0-1.x86_64.rpm",
        control_plane.url()
    ))?;
    // The first by its file, ever after by itself. Debian's rpm wants to be told that it is meant.
    shell.run_line_expecting_success("rpm -U --force-debian punch-0.1.0-1.x86_64.rpm")?;
    shell.run_line_expecting_success("punch --version").map(drop)
}

#[expect(clippy::disallowed_methods, reason = "the developer's terminal starts from the real one")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the developer's terminal starts from the real one")]
fn cargo_home(variable: &str, folder: &str) -> String {
    std::env::var(variable)
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/{folder}")))
        .unwrap_or_default()
}
