//! A service's life on a host: arrival, change, another version, an older version, departure.

use super::{Check, test_environment::TestEnvironment};
use crate::chore_failure::ChoreFailure;

pub(super) const SERVICE_STORY_CHECKS: &[Check] = &[
    ("a second import of the same estate changes nothing", second_import),
    ("the host's credential is for root's eyes only", credential),
    ("a restored service is started once and answers from outside", answers),
    ("a second restore changes nothing", second_restore),
    ("a file changed by hand is put right", drift),
    ("a new value and a new version reach the service", change),
    ("an older version comes back when it is asked for", downgrade),
    ("the node, the page of values and punch give the same explanation", explanation),
    ("a component nobody wants any more is gone whole", departure),
];

fn second_import(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let before = test.developer_shell().run_line_expecting_success("punch server node web-01")?.out;
    test.import_estate()?;
    let after = test.developer_shell().run_line_expecting_success("punch server node web-01")?.out;
    if before == after {
        return Ok(());
    }
    Err(ChoreFailure::new(
        format!("the node file changed from\n{before}\nto\n{after}"),
        "punch import estate",
    ))
}

fn credential(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.run_any_exit_on_web_01("stat -c %a:%U /etc/geppetto/punch.yaml")?
        .expect_text_in_output("600:root")
        .map(drop)
}

fn answers(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("shop: \"1.0.0\"", "shop: {banner: Hello}")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("systemctl is-active shop")?
        .expect_exit_code(0, "journalctl -u shop on web-01")?;
    // Started, and not restarted by the files that came with it.
    test.run_any_exit_on_web_01("[ $(journalctl -u shop -o cat | grep -c '^Started') = 1 ]")?
        .expect_exit_code(0, "journalctl -u shop on web-01")?;
    test.wait_for_http_text_of_web_01(8080, "/", "Hello")
}

fn second_restore(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let started = "systemctl show -p ActiveEnterTimestampMonotonic shop";
    let before = test.run_any_exit_on_web_01(started)?.out;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(0, "the changes above")?;
    test.run_any_exit_on_web_01(started)?.expect_text_in_output(before.trim()).map(drop)
}

fn drift(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.run_any_exit_on_web_01(
        "systemctl stop shop && find /etc/shop* -type f -exec sh -c 'echo >> $0' {} \\;",
    )?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(10, "the drift above is not seen")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/", "Hello")?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(0, "the changes above").map(drop)
}

fn change(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("shop: \">=1.1, <2\"", "shop: {banner: Bonjour}")?;
    test.run_any_exit_on_web_01("punch plan")?.expect_exit_code(10, "`punch server node web-01`")?;
    test.run_restore_on_web_01()?;
    test.wait_for_http_text_of_web_01(8080, "/", "Bonjour")?;
    test.run_any_exit_on_web_01("rpm -q shop shop-deployment")?
        .expect_text_in_output("shop-1.1.0-1")?
        .expect_text_in_output("shop-deployment-1.1.0-1")
        .map(drop)
}

fn downgrade(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("shop: \"1.0.0\"", "shop: {banner: Hello, http_port: 8081}")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("rpm -q shop")?.expect_text_in_output("shop-1.0.0-1")?;
    test.wait_for_http_text_of_web_01(8081, "/", "Hello")
}

fn explanation(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let there = test
        .developer_shell()
        .run_line_expecting_success("punch explain shop.http_port --server web-01")?
        .out;
    let here = test
        .run_any_exit_on_web_01("punch explain shop.http_port")?
        .expect_exit_code(0, "the output above")?
        .out;
    if !here.contains("8081") || !here.contains("role web") {
        return Err(ChoreFailure::new(
            format!("the explanation does not say who set it:\n{here}"),
            "punch explain",
        ));
    }
    if !there.contains("8081") || !there.contains("role web") {
        return Err(ChoreFailure::new(
            format!("the explanation does not say who set it:\n{there}"),
            "punch explain --server",
        ));
    }
    Ok(())
}

fn departure(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("", "")?;
    test.run_restore_on_web_01()?;
    test.run_any_exit_on_web_01("rpm -q shop shop-deployment")?
        .expect_exit_code(2, "the packages above are still installed")?;
    test.run_any_exit_on_web_01("systemctl is-active shop")?
        .expect_exit_code(3, "systemctl status shop on web-01")?;
    let left = test
        .run_any_exit_on_web_01(
            "find /etc /usr /var/lib -path '*/geppetto/punch/*' -prune -o -name '*shop*' -print",
        )?
        .out;
    if left.trim().is_empty() {
        return Ok(());
    }
    Err(ChoreFailure::new(format!("these files are left:\n{left}"), "`punch history` on web-01"))
}
