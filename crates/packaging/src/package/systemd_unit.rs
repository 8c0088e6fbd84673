//! systemd units generated from `launch` and `schedule`, restricted as far as a service usually can be.

use std::fmt::Write;

use model::format::component::{LaunchSettings, RestartPolicy, ScheduledJob};

/// What a unit says about itself.
pub(super) struct SystemdUnitHeader<'a> {
    pub(super) name: &'a str,
    pub(super) summary: &'a str,
    pub(super) url: Option<&'a str>,
}

/// The capability to answer on ports below 1024.
const PORTS: &str = "CAP_NET_BIND_SERVICE";

/// The restrictions every service gets unless it has `sandbox: false`; each can be loosened on a host by a
/// drop-in file. What an older systemd does not know it leaves out with a warning.
const SANDBOX: &str = "\
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
ProtectProc=invisible
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0027
";

/// The service of a daemon.
pub(super) fn render_daemon_service_unit(header: &SystemdUnitHeader<'_>, launch: &LaunchSettings) -> String {
    let mut text = head(header);
    let after: Vec<&str> =
        std::iter::once("network-online.target").chain(launch.after.iter().map(String::as_str)).collect();
    let _ = writeln!(text, "Wants=network-online.target\nAfter={}", after.join(" "));
    text.push_str("\n[Service]\n");
    service(&mut text, launch);
    let _ = writeln!(text, "Restart={}", launch.restart.systemd_restart_value());
    if launch.restart != RestartPolicy::No {
        text.push_str("RestartSec=1\n");
    }
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

/// The service a timer starts.
pub(super) fn render_timed_job_service_unit(
    header: &SystemdUnitHeader<'_>,
    launch: &LaunchSettings,
) -> String {
    let mut text = head(header);
    text.push_str("\n[Service]\nType=oneshot\n");
    service(&mut text, launch);
    text
}

/// The timer of a job.
pub(super) fn render_timer_unit(header: &SystemdUnitHeader<'_>, schedule: &ScheduledJob) -> String {
    let mut text = head(header);
    let _ = write!(
        text,
        "\n[Timer]\nOnCalendar={}\nAccuracySec=1s\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
        percent(&schedule.calendar)
    );
    text
}

fn head(header: &SystemdUnitHeader<'_>) -> String {
    let mut text = format!("# Generated from the component.yaml of {}.\n[Unit]\n", header.name);
    let _ = writeln!(text, "Description={}", percent(header.summary));
    if let Some(url) = header.url {
        let _ = writeln!(text, "Documentation={}", percent(url));
    }
    text
}

fn service(text: &mut String, launch: &LaunchSettings) {
    let words: Vec<String> =
        launch.command.to_argv_with_shell_for_text().iter().map(|word| quote(word)).collect();
    let _ = writeln!(text, "ExecStart={}", words.join(" "));
    let _ = writeln!(text, "User={}", launch.user);
    if let Some(group) = &launch.group {
        let _ = writeln!(text, "Group={group}");
    }
    if let Some(dir) = &launch.working_directory {
        let _ = writeln!(text, "WorkingDirectory={}", percent(dir));
    }
    for (name, value) in &launch.environment {
        let _ = writeln!(text, "Environment={}", quote_plain(&format!("{name}={value}")));
    }
    if let Some(file) = &launch.environment_file {
        let _ = writeln!(text, "EnvironmentFile=-{}", percent(file));
    }
    if launch.ports_below_1024 {
        let _ = writeln!(text, "AmbientCapabilities={PORTS}");
    }
    if launch.sandbox {
        let _ = writeln!(text, "CapabilityBoundingSet={}", if launch.ports_below_1024 { PORTS } else { "" });
        text.push_str(SANDBOX);
        for path in &launch.writable {
            let _ = writeln!(text, "ReadWritePaths={}", quote_plain(path));
        }
    }
}

/// A word of a command line: quoted where systemd would split it, `%` and `$` taken as they are.
fn quote(word: &str) -> String {
    quote_plain(&word.replace('$', "$$"))
}

/// A word of a setting that knows no variables.
fn quote_plain(word: &str) -> String {
    let word = percent(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,@+-%$".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use model::format::component::CommandLine;

    use super::*;

    #[test]
    fn words_reach_the_program_as_they_were_written() {
        for (word, quoted) in [
            ("/usr/bin/x", "/usr/bin/x"),
            ("a b", "\"a b\""),
            ("100%", "100%%"),
            ("$HOME", "$$HOME"),
            ("say \"hi\"\\", "\"say \\\"hi\\\"\\\\\""),
            ("two\nlines", "\"two\\nlines\""),
            ("", "\"\""),
            ("; rm", "\"; rm\""),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }

    #[test]
    fn daemon_is_restricted_and_a_program_that_administers_the_host_is_not() {
        let header = SystemdUnitHeader { name: "shop", summary: "A shop", url: None };
        let mut launch = LaunchSettings {
            command: CommandLine::Program(vec!["/usr/lib/shop/shop".into(), "--fast".into()]),
            user: "shop".into(),
            group: None,
            environment: [("A".to_owned(), "b c".to_owned())].into(),
            environment_file: Some("/etc/shop/env".into()),
            working_directory: None,
            restart: RestartPolicy::Always,
            after: vec!["postgresql.service".into()],
            writable: vec!["/var/lib/shop".into()],
            ports_below_1024: false,
            sandbox: true,
        };
        let text = render_daemon_service_unit(&header, &launch);
        for line in [
            "Description=A shop",
            "After=network-online.target postgresql.service",
            "ExecStart=/usr/lib/shop/shop --fast",
            "Environment=\"A=b c\"",
            "EnvironmentFile=-/etc/shop/env",
            "ProtectSystem=strict",
            "ReadWritePaths=/var/lib/shop",
            "CapabilityBoundingSet=",
            "Restart=always",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("Ambient"));
        launch.ports_below_1024 = true;
        let text = render_daemon_service_unit(&header, &launch);
        assert!(text.contains("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"), "{text}");
        assert!(text.contains("\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"), "{text}");
        launch.sandbox = false;
        let text = render_daemon_service_unit(&header, &launch);
        assert!(
            !text.contains("Protect") && !text.contains("BoundingSet") && text.contains("Ambient"),
            "{text}"
        );
    }
}
