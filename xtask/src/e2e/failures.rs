//! What goes wrong in real life: a killed punch, a control plane that is down, packages nobody signed.

use std::{thread::sleep, time::Duration};

use super::{Check, test_environment::TestEnvironment};
use crate::{
    chore_failure::ChoreFailure, control_plane::ControlPlaneProcess, scripted_developer::DEVELOPER_CA_FILE,
};

pub(super) const FAILURE_STORY_CHECKS: &[Check] = &[
    ("a punch killed in the middle leaves a host that the next run completes", killed),
    ("with the control plane down a restore says how old the last good generation is", control_plane_down),
    ("a restore from the cache works without the control plane, and says so", cached),
    ("the control plane comes back and gets the report", control_plane_back),
    ("a node file changed on its way is refused", forged_node),
    (
        "content that a file's own program refuses does not replace the old, and the run goes back",
        refused_content,
    ),
    ("a package nobody trusts is refused before anything is touched", unsigned),
];

fn killed(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("shop: \"1.1.0\"", "shop: {banner: Interrupted}")?;
    // Killed as soon as it has begun to change things: its report in progress is there.
    let typed = "punch restore > /tmp/killed.log 2>&1 & \
                 while kill -0 $! && ! [ -e /var/lib/geppetto/punch/running.jsonl ]; do :; done; \
                 kill -9 $! && echo killed; wait $!";
    test.run_any_exit_on_web_01(typed)?.expect_text_in_output("killed")?;
    test.run_any_exit_on_web_01("punch plan")?
        .expect_exit_code(10, "it was too fast to be killed in the middle")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/", "Interrupted")?;
    test.run_any_exit_on_web_01("punch history")?.expect_text_in_output("interrupted").map(drop)
}

fn control_plane_down(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.control_plane = None;
    let answer = test.run_any_exit_on_web_01("punch restore")?.expect_exit_code(6, "the output above")?;
    answer.expect_text_in_output("generation").map(drop)
}

fn cached(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.run_any_exit_on_web_01("systemctl stop shop")?;
    test.run_any_exit_on_web_01("punch restore --cached")?.expect_exit_code(0, "the output above")?;
    test.wait_for_http_text_of_web_01(8080, "/", "Interrupted")
}

fn control_plane_back(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let url = test
        .run_any_exit_on_web_01("grep -o 'https://[^\"]*' /etc/geppetto/punch.yaml")?
        .out
        .trim()
        .to_owned();
    let listen = url.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let typed = format!("geppetto serve --data data --listen {listen} --advertise {url}");
    // The port may take a moment to be free again.
    sleep(Duration::from_millis(200));
    test.control_plane =
        Some(ControlPlaneProcess::start_and_wait_until_ready(test.developer_shell(), &typed, &url)?);
    test.run_restore_on_web_01()?;
    let reports = format!(
        "curl -fsS --cacert {DEVELOPER_CA_FILE} -H \"Authorization: Bearer $(cat alice.token)\" {}/api/v1/servers/web-01/reports",
        test.control_plane_url()
    );
    test.developer_shell().run_line_expecting_success(&reports)?.expect_text_in_output("generation").map(drop)
}

fn forged_node(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let file = "/var/lib/geppetto/punch/node.yaml";
    test.run_any_exit_on_web_01(&format!("sed 's/Interrupted/Forged/' {file} > /tmp/forged.yaml"))?;
    let answer = test
        .run_any_exit_on_web_01("punch apply /tmp/forged.yaml")?
        .expect_exit_code(1, "the output above")?;
    answer.expect_text_in_output("sign")?;
    test.wait_for_http_text_of_web_01(8080, "/", "Interrupted")
}

/// A component with one file, which must say what its program wants.
fn publish_notice(test: &TestEnvironment, version: &str, content: &str) -> Result<(), ChoreFailure> {
    let component = format!(
        "format: geppetto/component/1\nname: notice\nversion: {version}\nkind: os-config\nsummary: A notice\nlicense: Apache-2.0\n"
    );
    let manifest = format!(
        "format: geppetto/manifest/1\nresources:\n  - {{file: /etc/notice, content: \"{content}\\n\", validate: [grep, ^well, \"%\"]}}\n"
    );
    let typed = format!(
        "mkdir -p notice/deploy && printf %s '{component}' > notice/component.yaml && printf %s '{manifest}' > notice/deploy/manifest.yaml && \
         punch package notice --out notices --key alice.key && punch publish notices/*{version}*.rpm --channel prod"
    );
    test.developer_shell().run_line_expecting_success(&typed).map(drop)
}

fn refused_content(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    publish_notice(test, "1.0.0", "well")?;
    test.write_and_import_web_role("shop: \"1.1.0\", notice: \"1.0.0\"", "shop: {banner: Interrupted}")?;
    test.run_restore_on_web_01()?;
    publish_notice(test, "1.1.0", "not so")?;
    test.write_and_import_web_role("shop: \"1.1.0\", notice: \"1.1.0\"", "shop: {banner: Interrupted}")?;
    test.run_any_exit_on_web_01("punch restore")?
        .expect_exit_code(4, "the output above")?
        .expect_text_in_output("its new content does not pass `grep ^well %`, and the old content stays")?;
    test.run_any_exit_on_web_01("cat /etc/notice")?.expect_text_in_output("well")?;
    test.run_any_exit_on_web_01("ls -d /run/punch-validate-*")?
        .expect_exit_code(2, "something is left of the validation")?;
    test.write_and_import_web_role("shop: \"1.1.0\"", "shop: {banner: Interrupted}")?;
    test.run_restore_on_web_01().map(drop)
}

fn unsigned(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let version = "sed -i 's/^version: .*/version: 1.2.0/' shop/component.yaml";
    test.developer_shell()
        .run_line_expecting_success(&format!("{version} && punch package shop --out unsigned"))?;
    let answer = test.developer_shell().run_line_to_any_exit("punch publish unsigned/*.rpm --channel dev")?;
    answer
        .expect_exit_code(1, "the repository took a package that nobody signed")?
        .expect_text_in_output("sign")
        .map(drop)
}
