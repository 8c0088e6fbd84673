//! What the checks share: a developer, a control plane, a host that has joined.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::{E2eSettings, large_estate_environment::LargeEstateEnvironment};
use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    command_shell::{CommandOutput, CommandShell},
    control_plane::ControlPlaneProcess,
    scripted_developer::{self, DeveloperWorkspace},
    test_host::{BootedHost, HostImage, TestHostLauncher},
};

/// Components the hosts get beside `shop`, by their folder in the checkout.
const COMPONENTS: [&str; 8] = [
    "library/punch",
    "library/geppetto",
    "library/os-config/motd",
    "library/os-config/ssh-server",
    "library/os-config/admins",
    "examples/haproxy",
    "examples/node-exporter",
    "examples/tomcat-examples",
];

/// Archetypes, and the name of the component that is generated from each.
const GENERATED_COMPONENTS: [(&str, &str); 5] = [
    ("processing", "stock"),
    ("db-schema", "ledger"),
    ("monitoring-plugin", "queue"),
    ("os-config", "journal"),
    ("webapp", "portal"),
];

/// Everything that runs. Its fields are dropped in this order: the hosts need the network of `hosts`.
pub(super) struct TestEnvironment {
    /// The server web-01.
    pub(super) host: BootedHost,
    /// Servers that a story has added, in the order of their arrival.
    pub(super) added_hosts: Vec<BootedHost>,
    /// The control plane; absent while a check has stopped it.
    pub(super) control_plane: Option<ControlPlaneProcess>,
    /// What the story of the large estate has of its own; absent before it.
    pub(super) large_estate: Option<LargeEstateEnvironment>,
    /// The developer.
    pub(super) developer: DeveloperWorkspace,
    checkout: PathBuf,
    work: PathBuf,
    programs: PathBuf,
    profile: String,
    image: HostImage,
    hosts: TestHostLauncher,
}

impl TestEnvironment {
    /// Makes, publishes and promotes everything; boots web-01, installs punch on it and joins it.
    pub(super) fn prepare_test_environment(e2e: &E2eSettings<'_>) -> Result<TestEnvironment, ChoreFailure> {
        let mut hosts = TestHostLauncher::create_network_and_remove_leftovers(e2e.work)?;
        let image =
            HostImage::build_or_reuse_debian_image(e2e.work)?.with_local_debian_package_archive(e2e.work)?;
        let developer = DeveloperWorkspace::create_emptied_workspace(
            e2e.root,
            e2e.work,
            "e2e",
            &e2e.programs,
            e2e.profile,
        )?;
        let terminal = &developer.terminal;
        let control_plane =
            scripted_developer::start_control_plane_on_free_port(terminal, &hosts.address_of_this_machine())?;
        scripted_developer::log_in_and_create_trusted_developer_key(terminal, &control_plane)?;
        scripted_developer::create_and_package_two_shop_versions(&developer)?;
        for (archetype, name) in GENERATED_COMPONENTS {
            terminal.run_line_expecting_success(&format!("punch new {archetype} {name}"))?;
            terminal.run_line_expecting_success(&format!("punch test {name}"))?;
            terminal
                .run_line_expecting_success(&format!("punch package {name} --out dist --key alice.key"))?;
        }
        for component in COMPONENTS {
            terminal.run_line_expecting_success(&format!(
                "punch package {}/{component} --out dist --key alice.key",
                e2e.root.display()
            ))?;
        }
        terminal.run_line_expecting_success("punch publish dist/*.rpm --channel dev")?;
        for component in
            scripted_developer::list_component_versions_in_folder(&developer.folder.join("dist"))?
        {
            terminal
                .run_line_expecting_success(&format!("punch promote {component} --from dev --to prod"))?;
        }
        let host = hosts.boot_host_and_wait(&image, "web-01")?;
        scripted_developer::install_punch_on_host(&host.root_command_shell(), terminal, &control_plane)?;
        let (control_plane, added_hosts) = (Some(control_plane), Vec::new());
        let test = TestEnvironment {
            host,
            added_hosts,
            control_plane,
            large_estate: None,
            developer,
            checkout: e2e.root.to_owned(),
            work: e2e.work.to_owned(),
            programs: e2e.programs.clone(),
            profile: e2e.profile.to_owned(),
            image,
            hosts,
        };
        test.role("punch: \">=0.1\"", "punch: {automatic: false}")?;
        test.write_estate_file("environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n")?;
        test.write_estate_file(
            "servers/web-01.yaml",
            "format: geppetto/server/2\nenvironment: prod\nroles: [base, web]\n",
        )?;
        test.write_estate_file("roles/base.yaml", "format: geppetto/role/1\n")?;
        test.import_estate()?;
        test.join(&test.host)?;
        Ok(test)
    }

    /// A developer with an emptied folder of his own beside the shared one.
    pub(super) fn create_developer_workspace(&self, name: &str) -> Result<DeveloperWorkspace, ChoreFailure> {
        DeveloperWorkspace::create_emptied_workspace(
            &self.checkout,
            &self.work,
            name,
            &self.programs,
            &self.profile,
        )
    }

    /// The checkout.
    pub(super) fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// Cargo's name of the profile the programs were built with.
    pub(super) fn cargo_profile(&self) -> &str {
        &self.profile
    }

    /// Where hosts reach what listens on this machine.
    pub(super) fn address_of_this_machine(&self) -> String {
        self.hosts.address_of_this_machine()
    }

    /// Boots one more host, on which nothing is installed.
    pub(super) fn boot_host_without_joining(&mut self, name: &str) -> Result<BootedHost, ChoreFailure> {
        self.hosts.boot_host_and_wait(&self.image, name)
    }

    /// Kills everything that runs on web-01 at once, and boots it again.
    pub(super) fn kill_web_01_whole_and_boot_again(&mut self) -> Result<(), ChoreFailure> {
        self.hosts.kill_whole_host_and_boot_again(&self.image, &mut self.host)
    }

    /// Installs punch on a host, from the repository that the stories share.
    pub(super) fn install_punch_of_shared_control_plane(
        &self,
        host: &BootedHost,
    ) -> Result<(), ChoreFailure> {
        scripted_developer::install_punch_on_host(
            &host.root_command_shell(),
            self.developer_shell(),
            self.running_control_plane()?,
        )
    }

    /// Boots one more host and joins it as the server of its name, which the estate must have.
    pub(super) fn boot_join_and_keep_host(&mut self, name: &str) -> Result<(), ChoreFailure> {
        let host = self.boot_host_without_joining(name)?;
        self.install_punch_of_shared_control_plane(&host)?;
        self.join(&host)?;
        self.added_hosts.push(host);
        Ok(())
    }

    /// Where the control plane answers.
    pub(super) fn control_plane_url(&self) -> String {
        self.control_plane.as_ref().map(|control_plane| control_plane.url().to_owned()).unwrap_or_default()
    }

    /// The developer's terminal.
    pub(super) fn developer_shell(&self) -> &CommandShell {
        &self.developer.terminal
    }

    /// Sets what the role `web` carries: lines of YAML maps, and makes it a revision.
    pub(super) fn write_and_import_web_role(
        &self,
        components: &str,
        values: &str,
    ) -> Result<CommandOutput, ChoreFailure> {
        self.role(components, values)?;
        self.import_estate()
    }

    /// Imports the estate's folder.
    pub(super) fn import_estate(&self) -> Result<CommandOutput, ChoreFailure> {
        self.developer_shell().run_line_expecting_success("punch import estate")
    }

    /// Runs a command on the host; any exit code is an answer.
    pub(super) fn run_any_exit_on_web_01(&self, typed: &str) -> Result<CommandOutput, ChoreFailure> {
        self.host.root_command_shell().run_line_to_any_exit(typed)
    }

    /// Restores the host, which must succeed.
    pub(super) fn run_restore_on_web_01(&self) -> Result<CommandOutput, ChoreFailure> {
        run_restore_on_host(&self.host)
    }

    /// Asks a path of web-01 from outside, for as long as a minute: a servlet container takes its time.
    pub(super) fn wait_for_http_text_of_web_01(
        &self,
        port: u16,
        path: &str,
        text: &str,
    ) -> Result<(), ChoreFailure> {
        self.wait_for_http_text_of_host(&self.host, port, path, text)
    }

    /// The same, of any host.
    pub(super) fn wait_for_http_text_of_host(
        &self,
        host: &BootedHost,
        port: u16,
        path: &str,
        text: &str,
    ) -> Result<(), ChoreFailure> {
        let here = CommandShell::shell_on_this_machine(&self.developer.folder);
        let typed = format!("curl -fsS --max-time 5 http://{}:{port}{path}", host.ip_address());
        for _ in 0..60 {
            let answer = here.run_line_to_any_exit(&typed)?;
            if answer.code == 0 && answer.out.contains(text) {
                return Ok(());
            }
            sleep(Duration::from_secs(1));
        }
        here.run_line_expecting_success(&typed)?.expect_text_in_output(text).map(drop)
    }

    fn join(&self, host: &BootedHost) -> Result<(), ChoreFailure> {
        join_host(host, self.developer_shell(), self.running_control_plane()?)
    }

    fn running_control_plane(&self) -> Result<&ControlPlaneProcess, ChoreFailure> {
        self.control_plane
            .as_ref()
            .ok_or_else(|| ChoreFailure::new("no control plane is running", "the check that stopped it"))
    }

    fn role(&self, components: &str, values: &str) -> Result<(), ChoreFailure> {
        let text = format!("format: geppetto/role/1\ncomponents: {{{components}}}\nvalues: {{{values}}}\n");
        self.write_estate_file("roles/web.yaml", &text)
    }

    /// Writes a file of the estate's folder.
    pub(super) fn write_estate_file(&self, path: &str, text: &str) -> Result<(), ChoreFailure> {
        let file = self.developer.folder.join("estate").join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(io_failure_maker_for_path("create", folder))?;
        }
        fs::write(&file, text).map_err(io_failure_maker_for_path("write", &file))
    }
}

/// Joins a host as the server of its name, with a token that the developer makes.
pub(super) fn join_host(
    host: &BootedHost,
    developer: &CommandShell,
    control_plane: &ControlPlaneProcess,
) -> Result<(), ChoreFailure> {
    let name = host.host_name();
    let token = developer.run_line_expecting_success(&format!("punch server join-token {name}"))?.out;
    let token = token.trim().lines().last().unwrap_or_default().to_owned();
    let address = control_plane.address_and_fingerprint_arguments()?;
    let typed = format!("punch join {address} --server {name} --token {token}");
    host.root_command_shell().run_line_to_any_exit(&typed)?.expect_exit_code(0, "geppetto.log").map(drop)
}

/// Restores a host, which must succeed.
pub(super) fn run_restore_on_host(host: &BootedHost) -> Result<CommandOutput, ChoreFailure> {
    let look = format!("`punch history` on {}, and the output above", host.host_name());
    host.root_command_shell().run_line_to_any_exit("punch restore")?.expect_exit_code(0, &look)
}
