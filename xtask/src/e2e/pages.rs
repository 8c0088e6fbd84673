//! People at the pages: a component is chosen for a server in a real browser and converges on a booted host while one looks;
//! without scripts; with the keyboard alone; on a narrow screen.

use std::fs;

use super::{
    Check,
    browser::{Browser, BrowserSettings},
    test_environment::TestEnvironment,
};
use crate::chore_failure::{ChoreFailure, io_failure_maker_for_path};

pub(super) const PAGE_STORY_CHECKS: &[Check] = &[
    (
        "a person sets a password, chooses a component for a server and sees it converge",
        chosen_component_converges,
    ),
    (
        "without scripts a value is changed, previewed and committed, and the host gets it",
        changed_without_scripts,
    ),
    ("with the keyboard alone one logs in, edits, previews and commits", edited_by_keyboard),
    ("no page is wider than a telephone, none makes the browser complain, each has its picture", looked_at),
];

const PASSWORD: &str = "plum lantern orbit";
const ENTER: &str = "\u{e007}";

/// The pages that are looked at.
const LOOKED_AT: [&str; 16] = [
    "/",
    "/servers",
    "/servers?state=changed",
    "/servers/web-01",
    "/servers/web-01/values",
    "/servers/web-01/reports",
    "/roles",
    "/roles/web",
    "/edit/roles/web",
    "/environments",
    "/components/shop",
    "/revisions",
    "/jobs",
    "/audit",
    "/users",
    "/account",
];

const WITH_SCRIPTS: BrowserSettings = BrowserSettings { scripts: true, dark: false, width: 1280 };

fn open(test: &TestEnvironment, browser: &Browser, path: &str) -> Result<(), ChoreFailure> {
    browser.open(&format!("{}{path}", test.control_plane_url()))
}

fn expect_address(test: &TestEnvironment, browser: &Browser, path: &str) -> Result<(), ChoreFailure> {
    let (address, wanted) = (browser.address()?, format!("{}{path}", test.control_plane_url()));
    match address == wanted {
        true => Ok(()),
        false => Err(ChoreFailure {
            what: format!("the browser is at {address}, and not at {wanted}"),
            command: None,
            output: browser.text_of("body")?,
            look: "the page above".to_owned(),
        }),
    }
}

/// A browser in which admin is logged in.
fn logged_in(test: &TestEnvironment, settings: BrowserSettings) -> Result<Browser, ChoreFailure> {
    let browser = Browser::start(settings)?;
    open(test, &browser, "/servers")?;
    browser.fill("#name", "admin")?;
    browser.fill("#password", PASSWORD)?;
    browser.click("form.fields button")?;
    expect_address(test, &browser, "/servers")?;
    Ok(browser)
}

fn chosen_component_converges(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    test.write_and_import_web_role("", "")?;
    test.run_restore_on_web_01()?;
    let browser = Browser::start(WITH_SCRIPTS)?;
    let link = test.developer_shell().run_line_expecting_success("punch user password-link admin")?.out;
    browser.open(link.trim().lines().last().unwrap_or_default())?;
    browser.fill("#password", PASSWORD)?;
    browser.fill("#again", PASSWORD)?;
    browser.click("form.fields button")?;
    expect_address(test, &browser, "/log-in")?;
    browser.fill("#name", "admin")?;
    browser.fill("#password", PASSWORD)?;
    browser.click("form.fields button")?;
    expect_address(test, &browser, "/")?;
    browser.click("main a[href='/servers?state=converged'], main a[href='/servers?state=changed']")?;
    browser.click("a[href='/servers/web-01']")?;
    browser.click("a[href='/edit/servers/web-01']")?;
    browser.click("#component option[value='shop']")?;
    browser.click("button[value='add-component']")?;
    browser.wait_for_text("1 server changes")?;
    browser.wait_for_text("installs shop")?;
    browser.fill("#message", "The shop opens on web-01")?;
    browser.click("button[value='commit']")?;
    browser.wait_for_text("The shop opens on web-01")?;
    open(test, &browser, "/servers/web-01")?;
    browser.wait_for_text("server web-01")?;
    // From here on the page is not loaded again.
    test.run_restore_on_web_01()?;
    browser.wait_for_text("◐ changed")?;
    test.run_restore_on_web_01()?;
    browser.wait_for_text("● converged")?;
    expect_no_complaints(&browser, "the page of the server")
}

fn changed_without_scripts(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let browser = logged_in(test, BrowserSettings { scripts: false, ..WITH_SCRIPTS })?;
    open(test, &browser, "/edit/roles/web")?;
    browser.fill(
        "#text",
        "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {banner: Opened without a script}}\n",
    )?;
    browser.click(".actions button[value='preview']")?;
    browser.wait_for_text("1 server changes")?;
    browser.click("button[value='commit']")?;
    browser.wait_for_text("Opened without a script")?;
    test.run_restore_on_web_01()?;
    open(test, &browser, "/servers/web-01/values?text=banner")?;
    browser.wait_for_text("role web")
}

fn edited_by_keyboard(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let browser = Browser::start(WITH_SCRIPTS)?;
    open(test, &browser, "/edit/groups/keyboard")?;
    // The first field has the focus.
    browser.press("admin")?;
    browser.tab_to("#password")?;
    browser.press(&format!("{PASSWORD}{ENTER}"))?;
    browser.wait_for_text("New group keyboard")?;
    browser.tab_to("#message")?;
    browser.press(&format!("A group typed with keys{ENTER}"))?;
    browser.wait_for_text("No server's node file changes")?;
    browser.tab_to("button[value='commit']")?;
    browser.press(ENTER)?;
    browser.wait_for_text("A group typed with keys")
}

fn looked_at(test: &mut TestEnvironment) -> Result<(), ChoreFailure> {
    let folder = test.developer.folder.join("pictures");
    fs::create_dir_all(&folder).map_err(io_failure_maker_for_path("create", &folder))?;
    for (name, settings) in [
        ("light", WITH_SCRIPTS),
        ("dark", BrowserSettings { dark: true, ..WITH_SCRIPTS }),
        ("narrow", BrowserSettings { width: 320, ..WITH_SCRIPTS }),
    ] {
        let browser = logged_in(test, settings)?;
        for path in LOOKED_AT {
            open(test, &browser, path)?;
            let overflow = browser.overflow_width()?;
            if overflow > 0 {
                return Err(ChoreFailure::new(
                    format!("{path} is {overflow} pixels wider than a window of {}", settings.width),
                    path,
                ));
            }
            let file = format!("{}-{name}.png", path.trim_matches('/').replace(['/', '?', '='], "-"));
            browser.write_screenshot(&folder.join(file))?;
        }
        // Each complaint names its page; asking takes the driver seconds.
        expect_no_complaints(&browser, &format!("the {name} pages"))?;
    }
    Ok(())
}

fn expect_no_complaints(browser: &Browser, page: &str) -> Result<(), ChoreFailure> {
    let complaints = browser.complaints()?;
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(ChoreFailure {
            what: format!("the browser complains of {page}"),
            command: None,
            output: complaints.join("\n"),
            look: "its console".to_owned(),
        }),
    }
}
