//! Software that nobody here wrote, our own two programs, and the library's os-configs, on a real host.

use super::{Check, test_environment::TestEnvironment};
use crate::chore_failure::ChoreFailure;

pub(super) const EXAMPLE_STORY_CHECKS: &[Check] = &[
    ("Debian's node exporter is installed by apt-get and shows the host's metrics", node_exporter),
    ("Tomcat's examples, built by Maven, are served by Debian's Tomcat", tomcat),
    ("people log in with their keys, and nobody with a password", ssh),
    ("punch restores the host regularly by its own timer", timer),
    ("the control plane itself is a component that runs on a host", geppetto),
    ("all of it leaves when nobody wants it", departure),
];

fn node_exporter(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("node-exporter: \"1.0.0\"", "node-exporter: {labels: {team: shop}}")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("dpkg-query -W prometheus-node-exporter")?
        .expect_exit_code(0, "`punch history` on web-01")?;
    test.wait_for_http_text_of_web_01(9100, "/metrics", "node_cpu_seconds_total")?;
    test.wait_for_http_text_of_web_01(
        9100,
        "/metrics",
        "geppetto_server{environment=\"prod\",server=\"web-01\",team=\"shop\"} 1",
    )?;
    test.write_and_import_web_role(
        "node-exporter: \"1.0.0\"",
        "node-exporter: {disabled_collectors: [cpu]}",
    )?;
    test.run_restore_on_web_01()?;
    let metrics = test
        .run_any_exit_on_web_01("curl -fsS http://127.0.0.1:9100/metrics")?
        .expect_text_in_output("node_memory_MemTotal_bytes")?;
    if metrics.out.contains("node_cpu_seconds_total") {
        return Err(ChoreFailure::new(
            "the collector `cpu` is still on",
            "/etc/default/prometheus-node-exporter",
        ));
    }
    Ok(())
}

fn tomcat(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("tomcat-examples: \"1.0.0\"", "")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/examples/servlets/servlet/HelloWorldExample", "Hello World!")?;
    // A page of JSP with the tag library that came in the archive.
    test.wait_for_http_text_of_web_01(
        8080,
        "/examples/jsp/jsp2/el/basic-arithmetic.jsp",
        "JSP 2.0 Expression Language",
    )?;
    test.write_and_import_web_role(
        "tomcat-examples: \"1.0.0\"",
        "tomcat-examples: {allow: \"127.0.0.0/8\"}",
    )?;
    test.run_restore_on_web_01()?;
    let from_outside =
        format!("curl -sS -o /dev/null -w '%{{http_code}}' http://{}:8080/examples/", test.host.ip_address());
    test.developer_shell().run_line_expecting_success(&from_outside)?.expect_text_in_output("403").map(drop)
}

fn ssh(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let terminal = test.developer_shell();
    terminal.run_line_expecting_success("[ -e id ] || ssh-keygen -q -t ed25519 -N '' -f id")?;
    let key = terminal.run_line_expecting_success("cat id.pub")?.out.trim().to_owned();
    test.write_and_import_web_role(
        "admins: \"1.0.0\", ssh-server: \"1.0.0\"",
        &format!(
            "ssh-server: {{port: 2222, allow_groups: [admins]}}, \
             admins: {{people: [{{name: alice, comment: Alice, keys: [\"{key}\"]}}]}}"
        ),
    )?;
    test.run_restore_on_web_01()?;
    let options = "-p 2222 -i id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
                   -o LogLevel=ERROR -F none";
    let address = test.host.ip_address();
    test.developer_shell()
        .run_line_expecting_success(&format!("ssh {options} alice@{address} id"))?
        .expect_text_in_output("admins")?;
    test.developer_shell()
        .run_line_to_any_exit(&format!("ssh {options} -o PubkeyAuthentication=no alice@{address} id"))?
        .expect_exit_code(255, "somebody got in without a key")
        .map(drop)
}

fn timer(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("punch: \">=0.1\"", "punch: {calendar: \"*:*:0/2\", spread_seconds: 0}")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("systemctl is-enabled punch-restore.timer")?
        .expect_exit_code(0, "the output above")?;
    // A motd that only the timer's restore can bring.
    test.write_and_import_web_role(
        "punch: \">=0.1\", motd: \"1.0.0\"",
        "punch: {calendar: \"*:*:0/2\", spread_seconds: 0}, motd: {message: by the timer}",
    )?;
    let wait = "for tenth in $(seq 300); do grep -q 'by the timer' /etc/motd && exit 0; sleep 0.1; done; \
                journalctl -u punch-restore --no-pager | tail -20; exit 1";
    test.run_any_exit_on_web_01(wait)?.expect_exit_code(0, "journalctl -u punch-restore on web-01")?;
    // By hand again, so that nothing happens between the next checks.
    test.write_and_import_web_role("punch: \">=0.1\"", "punch: {automatic: false}")?;
    let quiet = "for tenth in $(seq 300); do systemctl is-active -q punch-restore.timer || exit 0; sleep 0.1; done; exit 1";
    test.run_any_exit_on_web_01(quiet)?.expect_exit_code(0, "journalctl -u punch-restore on web-01")?;
    // The restore that stopped the timer may still be at work.
    test.run_any_exit_on_web_01("while systemctl is-active -q punch-restore.service || [ \"$(systemctl show -P SubState punch-restore.service)\" = start ]; do sleep 0.1; done")?;
    Ok(())
}

fn geppetto(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role(
        "geppetto: \"0.1.0\", punch: \">=0.1\"",
        "geppetto: {address: 0.0.0.0}, punch: {automatic: false}",
    )?;
    test.run_restore_on_web_01()?;
    // Whoever knows the fingerprint in its log trusts it: only the token is refused.
    let fingerprint = "$(journalctl -u geppetto -o cat | grep -o 'sha256:[0-9a-f]*' | head -n 1)";
    let login = "punch login https://127.0.0.1:8700 --token-file -";
    let typed = format!("echo gpt_0123456789abcdef_00 | HOME=/tmp {login} --ca-fingerprint {fingerprint}");
    test.run_any_exit_on_web_01(&typed)?
        .expect_exit_code(1, "journalctl -u geppetto on web-01")?
        .expect_text_in_output("the token is not known")?;
    test.run_any_exit_on_web_01("curl -fsSk https://127.0.0.1:8700/api/v1/health")?
        .expect_text_in_output("ok")?;
    test.run_any_exit_on_web_01("stat -c %a:%U /var/lib/geppetto-data")?
        .expect_text_in_output("700:geppetto")?;
    test.run_any_exit_on_web_01("ps -o user= -C geppetto")?.expect_text_in_output("geppetto").map(drop)
}

fn departure(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("punch: \">=0.1\"", "punch: {automatic: false}")?;
    test.run_restore_on_web_01()?;
    let left =
        test.run_any_exit_on_web_01("rpm -qa --qf '%{NAME}\\n' | grep -v '^punch\\(-deployment\\)\\?$'")?.out;
    if !left.trim().is_empty() {
        return Err(ChoreFailure::new(
            format!("these packages are left:\n{left}"),
            "`punch history` on web-01",
        ));
    }
    test.run_any_exit_on_web_01("systemctl is-active geppetto")?
        .expect_exit_code(3, "systemctl status geppetto on web-01")?;
    test.run_any_exit_on_web_01("ls /etc/tomcat10/Catalina/localhost/examples.xml")?
        .expect_exit_code(2, "the file is still there")
        .map(drop)
}
