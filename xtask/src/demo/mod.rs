//! `cargo xtask demo`: from an archetype to a running, answering service, by the commands production would use.

mod demo_target;

use std::{
    fs,
    path::{Path, PathBuf},
};

use demo_target::BootedHostOrRootFolder;

use crate::{
    chore_failure::{ChoreFailure, io_failure_maker_for_path},
    control_plane::ControlPlaneProcess,
    output::{self, TimedStepRunner},
    scripted_developer::{self, DeveloperWorkspace},
    test_host,
};

/// What the demo needs to know.
pub(crate) struct DemoSettings<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The work folder.
    pub(crate) work: &'a Path,
    /// Where the two programs are.
    pub(crate) programs: PathBuf,
    /// Cargo's name of the profile they were built with.
    pub(crate) profile: &'a str,
    /// Stop everything at the end, even when somebody is there to look.
    pub(crate) no_wait: bool,
}

/// Runs the demo.
pub(crate) fn run_demo(demo: &DemoSettings<'_>) -> Result<(), ChoreFailure> {
    let impossible = test_host::reason_hosts_cannot_be_booted(demo.work);
    let mut hosts = None;
    let mut image = None;
    if let Some(reason) = &impossible {
        output::print_line(&format!(
            "No host is booted here: {reason}.\nThe same commands run with `--root` instead, on a folder: \
             files and packages are real, services are not started."
        ));
    } else {
        output::print_line("Preparing a Debian image for the host (the first time takes a minute) ...");
        image = Some(test_host::HostImage::build_or_reuse_debian_image(demo.work)?);
        hosts = Some(test_host::TestHostLauncher::create_network_and_remove_leftovers(demo.work)?);
    }

    let mut steps = TimedStepRunner::start_timed_steps();
    let address = hosts
        .as_ref()
        .map_or_else(|| "127.0.0.1".to_owned(), test_host::TestHostLauncher::address_of_this_machine);
    let developer = DeveloperWorkspace::create_emptied_workspace(
        demo.root,
        demo.work,
        "demo",
        &demo.programs,
        demo.profile,
    )?;
    let terminal = developer.terminal.clone().with_echo();
    output::print_line(&format!("Everything below is typed in {}", terminal.working_folder().display()));

    let control_plane = steps.print_and_run_step("Start the control plane on a new data folder", || {
        scripted_developer::start_control_plane_on_free_port(&terminal, &address)
    })?;
    steps.print_and_run_step("Sign in, and make the key that signs packages", || {
        scripted_developer::log_in_and_create_trusted_developer_key(&terminal, &control_plane)
    })?;
    steps.print_and_run_step("Create a web service from its archetype", || {
        let about = terminal.run_line_expecting_success("punch new web-service shop --set version=1.0.0")?;
        output::print_indented_output(&about.out);
        terminal.run_line_expecting_success("punch test shop").map(drop)
    })?;
    steps.print_and_run_step("Check and package its first version", || {
        terminal.run_line_expecting_success("punch lint shop")?;
        terminal.run_line_expecting_success("punch package shop --out dist --key alice.key").map(drop)
    })?;
    steps.print_and_run_step("Change the program, and package it as a second version", || {
        scripted_developer::package_second_shop_version(&terminal)
    })?;
    steps.print_and_run_step(
        "Package what else the server gets: punch itself, and a message of the day",
        || {
            terminal.run_line_expecting_success(&format!(
                "punch package {}/library/punch --out dist --key alice.key",
                demo.root.display()
            ))?;
            terminal
                .run_line_expecting_success(&format!(
                    "punch package {}/library/os-config/motd --out dist --key alice.key",
                    demo.root.display()
                ))
                .map(drop)
        },
    )?;
    steps.print_and_run_step("Publish all of it to the channel dev, and promote it to prod", || {
        terminal.run_line_expecting_success("punch publish dist/*.rpm --channel dev")?;
        for component in ["shop@1.0.0", "shop@1.1.0", "punch@0.1.0", "motd@1.0.0"] {
            terminal
                .run_line_expecting_success(&format!("punch promote {component} --from dev --to prod"))?;
        }
        output::print_indented_output(&terminal.run_line_expecting_success("punch component show shop")?.out);
        Ok(())
    })?;
    steps.print_and_run_step(
        "Say what runs where: roles base <- web, environment prod, server web-01",
        || {
            terminal.run_line_expecting_success(&format!(
                "cp -r {}/examples/estate estate",
                demo.root.display()
            ))?;
            output::print_indented_output(
                &terminal.run_line_expecting_success("punch import estate")?.stdout_and_stderr_text(),
            );
            output::print_indented_output(
                &terminal.run_line_expecting_success("punch explain motd.labels --server web-01")?.out,
            );
            Ok(())
        },
    )?;

    let place = match (&mut hosts, &image) {
        (Some(hosts), Some(image)) => steps.print_and_run_step("Boot the server web-01", || {
            output::print_line("      $ systemd-nspawn --boot --machine web-01 ...");
            Ok(BootedHostOrRootFolder::Booted(hosts.boot_host_and_wait(image, "web-01")?))
        })?,
        _ => BootedHostOrRootFolder::Folder {
            root: terminal.working_folder().join("web-01"),
            terminal: terminal.clone(),
        },
    };
    if let BootedHostOrRootFolder::Booted(host) = &place {
        steps.print_and_run_step("Install punch on it, from the repository", || {
            let shell = host.root_command_shell().with_echo();
            scripted_developer::install_punch_on_host(&shell, &terminal, &control_plane)
        })?;
    }
    steps.print_and_run_step("Join it to the control plane, with a token that is good once", || {
        let token = terminal.run_line_expecting_success("punch server join-token web-01")?.out;
        let token = token.trim().lines().last().unwrap_or_default().to_owned();
        place
            .run_punch_expecting_success(&format!(
                "punch join {} --server web-01 --token {token}",
                control_plane.address_and_fingerprint_arguments()?
            ))
            .map(drop)
    })?;
    steps.print_and_run_step("Restore it: make it what its node file says", || {
        place.run_restore_and_print_output()
    })?;
    steps.print_and_run_step("Ask the service from outside", || {
        place.check_service_answer_or_deployed_files(8080, "Welcome to shop", "1.0.0", None)
    })?;

    let role = terminal.working_folder().join("estate/roles/web.yaml");
    steps.print_and_run_step("Change one value and one version", || {
        edit(&role, "  shop: \"1.0.0\"", "  shop: \">=1.1, <2\"")?;
        edit(&role, "values:\n", "values:\n  shop: {banner: Bonjour}\n")?;
        output::print_indented_output(
            &terminal.run_line_expecting_success("punch import estate")?.stdout_and_stderr_text(),
        );
        Ok(())
    })?;
    steps.print_and_run_step("Look at what a restore would do", || {
        // `punch plan` says by its exit code that there are changes.
        let plan = place.run_punch_any_exit("punch plan")?.expect_exit_code(10, "the plan above")?;
        output::print_indented_output(&plan.out);
        Ok(())
    })?;
    steps.print_and_run_step("Restore again", || place.run_restore_and_print_output())?;
    steps.print_and_run_step("Ask again", || {
        place.check_service_answer_or_deployed_files(8080, "Bonjour", "1.1.0", Some("now with a footer"))
    })?;
    steps.print_and_run_step("Take the service away from the role", || {
        edit(&role, "  shop: \">=1.1, <2\"\n", "  {}\n")?;
        edit(&role, "  shop: {banner: Bonjour}\n", "")?;
        output::print_indented_output(
            &terminal.run_line_expecting_success("punch import estate")?.stdout_and_stderr_text(),
        );
        place.run_restore_and_print_output()
    })?;
    steps.print_and_run_step("See that it is gone: package, files, service", || {
        place.expect_shop_removed(8080)
    })?;
    steps.print_and_run_step("Look back", || {
        output::print_indented_output(&place.run_punch_expecting_success("punch history")?.out);
        output::print_indented_output(&place.run_punch_expecting_success("punch status")?.out);
        Ok(())
    })?;
    steps.print_step_durations();
    output::print_line(&format!(
        "\nThe control plane's API: {}/api/v1 (described by {0}/api/v1/openapi.json)",
        control_plane.url()
    ));
    linger(demo, &place, &control_plane);
    Ok(())
}

/// Replaces `old` in a file, once; the file must hold it.
fn edit(file: &Path, old: &str, new: &str) -> Result<(), ChoreFailure> {
    let text = fs::read_to_string(file).map_err(io_failure_maker_for_path("read", file))?;
    if !text.contains(old) {
        return Err(ChoreFailure::new(
            format!("{} does not hold `{}`", file.display(), old.trim()),
            file.display().to_string(),
        ));
    }
    fs::write(file, text.replacen(old, new, 1)).map_err(io_failure_maker_for_path("write", file))
}

/// Keeps everything running for somebody who is there to look.
fn linger(demo: &DemoSettings<'_>, place: &BootedHostOrRootFolder, control_plane: &ControlPlaneProcess) {
    if demo.no_wait || !output::are_stdin_and_stdout_terminals() {
        return;
    }
    output::print_line(&format!(
        "It keeps running{}; press Enter to stop everything.",
        match place {
            BootedHostOrRootFolder::Booted(host) => format!(", and so does web-01 at {}", host.ip_address()),
            BootedHostOrRootFolder::Folder { .. } => String::new(),
        }
    ));
    let cacert = match control_plane.url().starts_with("https:") {
        true => format!("--cacert {} ", scripted_developer::DEVELOPER_CA_FILE),
        false => String::new(),
    };
    output::print_line(&format!(
        "  curl {cacert}-H \"Authorization: Bearer $(cat alice.token)\" {}/api/v1/servers",
        control_plane.url()
    ));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok();
}
