//! Where the demo deploys to: a booted host, or a folder where none can be booted.

use std::{path::PathBuf, thread::sleep, time::Duration};

use crate::{
    chore_failure::ChoreFailure,
    command_shell::{CommandOutput, CommandShell},
    output,
    test_host::BootedHost,
};

/// The server `web-01`.
pub(super) enum BootedHostOrRootFolder {
    /// A real host.
    Booted(BootedHost),
    /// A folder treated as one with `--root`.
    Folder {
        /// The folder.
        root: PathBuf,
        /// Where commands are typed.
        terminal: CommandShell,
    },
}

impl BootedHostOrRootFolder {
    /// Runs a verb of punch there; any exit code is an answer.
    pub(super) fn run_punch_any_exit(&self, typed: &str) -> Result<CommandOutput, ChoreFailure> {
        match self {
            BootedHostOrRootFolder::Booted(host) => {
                host.root_command_shell().with_echo().run_line_to_any_exit(typed)
            }
            BootedHostOrRootFolder::Folder { root, terminal } => {
                terminal.run_line_to_any_exit(&format!("{typed} --root {}", root.display()))
            }
        }
    }

    /// Runs a verb of punch there, which must succeed.
    pub(super) fn run_punch_expecting_success(&self, typed: &str) -> Result<CommandOutput, ChoreFailure> {
        self.run_punch_any_exit(typed)?.expect_exit_code(0, "`punch history` on web-01, and the output above")
    }

    /// Restores it and shows what was done.
    pub(super) fn run_restore_and_print_output(&self) -> Result<(), ChoreFailure> {
        output::print_indented_output(&self.run_punch_expecting_success("punch restore")?.out);
        Ok(())
    }

    /// Asks the service from outside; where none runs, looks at the files instead.
    pub(super) fn check_service_answer_or_deployed_files(
        &self,
        port: u16,
        greeting: &str,
        version: &str,
        footer: Option<&str>,
    ) -> Result<(), ChoreFailure> {
        let here = CommandShell::shell_on_this_machine(std::path::Path::new("/")).with_echo();
        match self {
            BootedHostOrRootFolder::Booted(host) => {
                let answer = here
                    .run_line_expecting_success(&format!("curl -fsS http://{}:{port}/", host.ip_address()))?;
                output::print_indented_output(&answer.out);
                answer
                    .expect_text_in_output(greeting)?
                    .expect_text_in_output(version)?
                    .expect_text_in_output(footer.unwrap_or_default())
                    .map(drop)
            }
            BootedHostOrRootFolder::Folder { root, .. } => {
                let answer = here
                    .run_line_expecting_success(&format!("grep -rnF '{greeting}' {}/etc", root.display()))?;
                output::print_indented_output(&answer.out);
                here.run_line_expecting_success(&format!("rpm --root {} -q shop", root.display()))?
                    .expect_text_in_output(version)?;
                let footer = footer.unwrap_or_default();
                here.run_line_expecting_success(&format!(
                    "grep -qe '{footer}' {}/usr/share/shop/shop.py",
                    root.display()
                ))
                .map(drop)
            }
        }
    }

    /// Checks that nothing of the component `shop` is left.
    pub(super) fn expect_shop_removed(&self, port: u16) -> Result<(), ChoreFailure> {
        let (shell, root) = match self {
            BootedHostOrRootFolder::Booted(host) => (host.root_command_shell().with_echo(), String::new()),
            BootedHostOrRootFolder::Folder { root, terminal } => {
                (terminal.clone(), root.display().to_string())
            }
        };
        let rpm = if root.is_empty() { "rpm".to_owned() } else { format!("rpm --root {root}") };
        shell
            .run_line_to_any_exit(&format!("{rpm} -q shop shop-deployment"))?
            .expect_text_in_output("not installed")?;
        let left = shell.run_line_expecting_success(&format!(
            "find {root}/etc {root}/usr {root}/var/lib -path '*geppetto/punch*' -prune -o -name '*shop*' -print"
        ))?;
        if !left.out.trim().is_empty() {
            return Err(ChoreFailure {
                what: "files of the component are still there".to_owned(),
                output: left.out,
                command: Some(left.typed),
                look: "`punch history` on web-01".to_owned(),
            });
        }
        if let BootedHostOrRootFolder::Booted(host) = self {
            let unit = shell.run_line_to_any_exit("systemctl is-active shop")?;
            if unit.code == 0 {
                return Err(ChoreFailure::new("the service still runs", "systemctl status shop on web-01"));
            }
            // A connection that is being closed may still be accepted for a moment.
            sleep(Duration::from_millis(100));
            let here = CommandShell::shell_on_this_machine(std::path::Path::new("/")).with_echo();
            let answer = here.run_line_to_any_exit(&format!(
                "curl -sS --max-time 5 http://{}:{port}/",
                host.ip_address()
            ))?;
            output::print_indented_output(&answer.stdout_and_stderr_text());
            answer.expect_exit_code(7, "nothing should listen any more (curl exits with 7 then)")?;
        }
        Ok(())
    }
}
