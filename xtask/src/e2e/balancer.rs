//! HAProxy, whose backends are the servers that have the role `web`.

use super::{
    Check,
    test_environment::{TestEnvironment, run_restore_on_host},
};
use crate::{chore_failure::ChoreFailure, command_shell::CommandShell, test_host::BootedHost};

pub(super) const BALANCER_STORY_CHECKS: &[Check] = &[
    ("a balancer serves what the only server with the role serves", one_backend),
    ("a second server with the role is an effect on the balancer, and serves behind it", second_backend),
    ("a changed port of a server reaches the balancer", changed_port),
    ("a server of another environment is not selected, and not readable", other_environment),
    ("a server that leaves the role leaves the balancer", one_leaves),
];

const CONFIGURATION: &str = "/etc/haproxy/haproxy.cfg";

fn one_backend(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_estate_file(
        "roles/balancer.yaml",
        "format: geppetto/role/1\ncomponents: {haproxy: \"1.0.0\", punch: \">=0.1\"}\n\
         values: {punch: {automatic: false}, haproxy: {port: 8000, backends: {role: web}}}\n",
    )?;
    write_server(test, "lb-01", "[balancer]", None)?;
    set_web_role(test, "")?;
    test.boot_join_and_keep_host("lb-01")?;
    let address = test.host.ip_address().to_owned();
    write_server(test, "web-01", "[base, web]", Some(&address))?;
    test.import_estate()?.expect_text_in_output("lb-01")?;
    test.run_restore_on_web_01()?;
    run_restore_on_host(balancer(test)?)?;
    test.wait_for_http_text_of_host(balancer(test)?, 8000, "/", "Hello from web-01")
}

fn second_backend(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    write_server(test, "web-02", "[base, web]", None)?;
    test.import_estate()?;
    test.boot_join_and_keep_host("web-02")?;
    let web_02 = &test.added_hosts[1];
    run_restore_on_host(web_02)?;
    write_server(test, "web-02", "[base, web]", Some(web_02.ip_address()))?;
    let preview = test.developer_shell().run_line_expecting_success("punch import estate --dry-run")?;
    preview.expect_text_in_output("lb-01")?.expect_text_in_output("haproxy.backends")?;
    test.import_estate()?;
    run_restore_on_host(balancer(test)?)?;
    // Requests go to both in turn.
    for server in ["web-01", "web-02"] {
        test.wait_for_http_text_of_host(balancer(test)?, 8000, "/", &format!("Hello from {server}"))?;
    }
    Ok(())
}

fn changed_port(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    set_web_role(test, ", http_port: 8081")?;
    for host in [&test.host, &test.added_hosts[1], balancer(test)?] {
        run_restore_on_host(host)?;
    }
    configuration(test)?.expect_text_in_output(":8081 check")?;
    test.wait_for_http_text_of_host(balancer(test)?, 8000, "/", "Hello from web-0")
}

fn other_environment(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_estate_file("environments/staging.yaml", "format: geppetto/environment/1\nchannel: prod\n")?;
    test.write_estate_file(
        "servers/stage-01.yaml",
        "format: geppetto/server/2\nenvironment: staging\nroles: [base, web]\naddresses: [192.0.2.66]\n",
    )?;
    test.import_estate()?;
    let terminal = balancer(test)?.root_command_shell();
    terminal
        .run_line_to_any_exit("punch plan")?
        .expect_exit_code(0, "a server of staging changed the balancer")?;
    let asking = CommandShell::run_line_to_any_exit(
        test.developer_shell(),
        "sed 's/role: web/role: web, environment: staging/' estate/roles/balancer.yaml > roles.new && \
         cp estate/roles/balancer.yaml roles.old && mv roles.new estate/roles/balancer.yaml && \
         { punch import estate; code=$?; mv roles.old estate/roles/balancer.yaml; exit $code; }",
    )?;
    if asking.code == 0 {
        return Err(ChoreFailure::new("staging was read from prod", "punch import estate"));
    }
    asking.expect_text_in_output("readable_from").map(drop)
}

fn one_leaves(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let address = test.added_hosts[1].ip_address().to_owned();
    write_server(test, "web-02", "[base]", Some(&address))?;
    test.import_estate()?.expect_text_in_output("lb-01")?;
    run_restore_on_host(balancer(test)?)?;
    let text = configuration(test)?.expect_text_in_output("server web-01")?.out;
    if text.contains("web-02") {
        return Err(ChoreFailure::new("web-02 is still a backend", CONFIGURATION));
    }
    for _ in 0..4 {
        test.wait_for_http_text_of_host(balancer(test)?, 8000, "/", "Hello from web-01")?;
    }
    Ok(())
}

/// The host lb-01.
fn balancer(test: &TestEnvironment) -> Result<&BootedHost, ChoreFailure> {
    test.added_hosts.first().ok_or_else(|| ChoreFailure::new("lb-01 was not booted", "the first check"))
}

fn configuration(test: &TestEnvironment) -> Result<crate::command_shell::CommandOutput, ChoreFailure> {
    balancer(test)?.root_command_shell().run_line_expecting_success(&format!("cat {CONFIGURATION}"))
}

fn set_web_role(test: &TestEnvironment, more: &str) -> Result<(), ChoreFailure> {
    let values =
        format!("shop: {{banner: \"Hello from ${{server.name}}\"{more}}}, punch: {{automatic: false}}");
    test.write_and_import_web_role("shop: \"1.0.0\", punch: \">=0.1\"", &values).map(drop)
}

fn write_server(
    test: &TestEnvironment,
    name: &str,
    roles: &str,
    address: Option<&str>,
) -> Result<(), ChoreFailure> {
    let addresses = address.map(|address| format!("addresses: [{address}]\n")).unwrap_or_default();
    let text = format!("format: geppetto/server/2\nenvironment: prod\nroles: {roles}\n{addresses}");
    test.write_estate_file(&format!("servers/{name}.yaml"), &text)
}
