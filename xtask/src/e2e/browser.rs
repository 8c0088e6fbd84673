//! Real Chromium, driven by its own driver (W3C WebDriver, 2018).

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{chore_failure::ChoreFailure, control_plane::ControlPlaneProcess};

/// How often something is looked for while waiting for it, and how often at most.
const TICK: Duration = Duration::from_millis(200);
const TICKS: u32 = 100;
/// The key that moves to the next field (WebDriver, 17.4.2).
const TAB: &str = "\u{e004}";
/// How many fields and links a page has at most.
const MOST_STOPS: u32 = 150;

/// How a browser looks at pages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BrowserSettings {
    /// Whether pages may run scripts.
    pub(super) scripts: bool,
    /// Whether it prefers dark pages.
    pub(super) dark: bool,
    /// The width of its window, in CSS pixels.
    pub(super) width: u32,
}

/// A browser with one window; ended when dropped.
pub(super) struct Browser {
    driver: Child,
    driver_url: String,
    session: String,
    /// What it keeps of its own.
    profile: PathBuf,
}

impl Browser {
    /// Starts a browser that nobody has used.
    pub(super) fn start(settings: BrowserSettings) -> Result<Browser, ChoreFailure> {
        let port = ControlPlaneProcess::find_free_port("127.0.0.1")?;
        let profile = std::env::temp_dir().join(format!("geppetto-browser-{}-{port}", std::process::id()));
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                ChoreFailure::new(format!("chromedriver cannot be run: {error}"), "scripts/install-tools e2e")
            })?;
        let mut browser = Browser {
            driver,
            driver_url: format!("http://127.0.0.1:{port}"),
            session: String::new(),
            profile,
        };
        let answers = || browser.ask("GET", "/status", &Value::Null).is_ok();
        wait_until("chromedriver to answer", || Ok(answers()))?;
        // The browser of Debian's package; root has no sandbox of its own.
        let profile_argument = format!("--user-data-dir={}", browser.profile.display());
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", &profile_argument];
        let scripts = if settings.scripts { 1 } else { 2 };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            // The control plane's certificate is of its own authority.
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {"profile.managed_default_content_settings.javascript": scripts},
            },
        }}});
        let session = browser.ask("POST", "/session", &capabilities)?;
        browser.session = session["sessionId"].as_str().unwrap_or_default().to_owned();
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": settings.width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        )?;
        let scheme = if settings.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", media)?;
        Ok(browser)
    }

    /// Opens an address.
    pub(super) fn open(&self, url: &str) -> Result<(), ChoreFailure> {
        self.in_session("POST", "/url", &json!({"url": url})).map(drop)
    }

    /// The address of the page.
    pub(super) fn address(&self) -> Result<String, ChoreFailure> {
        Ok(self.in_session("GET", "/url", &Value::Null)?.as_str().unwrap_or_default().to_owned())
    }

    /// The text that a person sees of an element.
    pub(super) fn text_of(&self, css: &str) -> Result<String, ChoreFailure> {
        let element = self.element(css)?;
        let text = self.in_session("GET", &format!("/element/{element}/text"), &Value::Null)?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page shows a text; it is not loaded again.
    pub(super) fn wait_for_text(&self, text: &str) -> Result<(), ChoreFailure> {
        let shows = || Ok(self.text_of("body").is_ok_and(|seen| seen.contains(text)));
        wait_until(&format!("the page to show `{text}`"), shows)
            .map_err(|failure| ChoreFailure { output: self.text_of("body").unwrap_or_default(), ..failure })
    }

    /// Types into a field in the place of what is in it.
    pub(super) fn fill(&self, css: &str, text: &str) -> Result<(), ChoreFailure> {
        let element = self.element(css)?;
        self.in_session("POST", &format!("/element/{element}/clear"), &json!({}))?;
        self.in_session("POST", &format!("/element/{element}/value"), &json!({"text": text})).map(drop)
    }

    /// Clicks.
    pub(super) fn click(&self, css: &str) -> Result<(), ChoreFailure> {
        let element = self.element(css)?;
        self.in_session("POST", &format!("/element/{element}/click"), &json!({})).map(drop)
    }

    /// Presses keys where the focus is.
    pub(super) fn press(&self, keys: &str) -> Result<(), ChoreFailure> {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.in_session("POST", "/actions", &keyboard).map(drop)
    }

    /// Goes from field to field with the tabulator until an element has the focus.
    pub(super) fn tab_to(&self, css: &str) -> Result<(), ChoreFailure> {
        let wanted = self.element(css)?;
        for _ in 0..MOST_STOPS {
            let active = self.in_session("GET", "/element/active", &Value::Null)?;
            if element_id(&active) == Some(wanted.as_str()) {
                return Ok(());
            }
            self.press(TAB)?;
        }
        Err(ChoreFailure::new(format!("`{css}` is not reached with the tabulator"), self.address()?))
    }

    /// How much wider than the window the page is, in CSS pixels. Needs scripts.
    pub(super) fn overflow_width(&self) -> Result<i64, ChoreFailure> {
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        let answer = self.in_session("POST", "/execute/sync", &json!({"script": script, "args": []}))?;
        Ok(answer.as_i64().unwrap_or(i64::MAX))
    }

    /// What the browser complained of since it was asked last: refused by the policy, scripts that failed.
    pub(super) fn complaints(&self) -> Result<Vec<String>, ChoreFailure> {
        let log = self.in_session("POST", "/se/log", &json!({"type": "browser"}))?;
        let entries = log.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect())
    }

    /// Writes a picture of the whole page.
    pub(super) fn write_screenshot(&self, file: &Path) -> Result<(), ChoreFailure> {
        let picture = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true}))?;
        let data = picture["data"].as_str().unwrap_or_default();
        run_with_input(Command::new("base64").arg("--decode").stdout(create(file)?), data.as_bytes())
            .map(drop)
    }

    fn element(&self, css: &str) -> Result<String, ChoreFailure> {
        let found = self.in_session("POST", "/element", &json!({"using": "css selector", "value": css}))?;
        element_id(&found)
            .map(str::to_owned)
            .ok_or_else(|| ChoreFailure::new(format!("there is no `{css}`"), css))
    }

    fn devtools(&self, command: &str, parameters: Value) -> Result<Value, ChoreFailure> {
        self.in_session("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn in_session(&self, method: &str, path: &str, body: &Value) -> Result<Value, ChoreFailure> {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, ChoreFailure> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "60", "--request", method]);
        if !body.is_null() {
            command.args(["--header", "content-type: application/json", "--data-binary", "@-"]);
        }
        command.arg(format!("{}{path}", self.driver_url)).stdout(Stdio::piped());
        let answer = run_with_input(&mut command, body.to_string().as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match answer["value"]["error"].as_str() {
            Some(error) => Err(ChoreFailure {
                what: format!("the browser refused {method} {path}: {error}"),
                command: None,
                output: answer["value"]["message"].as_str().unwrap_or_default().to_owned(),
                look: "the page above".to_owned(),
            }),
            None if answer.get("value").is_some() => Ok(answer["value"].clone()),
            None => {
                Err(ChoreFailure::new(format!("chromedriver did not answer {method} {path}"), "chromedriver"))
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser may take a minute to end by itself; it is in the driver's process group.
        if let Ok(group) = i32::try_from(self.driver.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The only member of a reference to an element (WebDriver, 12.1).
fn element_id(value: &Value) -> Option<&str> {
    value.as_object()?.values().next()?.as_str()
}

fn create(file: &Path) -> Result<std::fs::File, ChoreFailure> {
    std::fs::File::create(file).map_err(|error| {
        ChoreFailure::new(format!("{} cannot be written: {error}", file.display()), "the disk")
    })
}

fn run_with_input(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, ChoreFailure> {
    let failed =
        |error: std::io::Error| ChoreFailure::new(format!("a program failed: {error}"), "curl, base64");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that needs no input has ended already.
        let _ = stdin.write_all(input);
    }
    Ok(child.wait_with_output().map_err(failed)?.stdout)
}

fn wait_until(what: &str, is_so: impl Fn() -> Result<bool, ChoreFailure>) -> Result<(), ChoreFailure> {
    for _ in 0..TICKS {
        if is_so()? {
            return Ok(());
        }
        sleep(TICK);
    }
    Err(ChoreFailure::new(format!("waited too long for {what}"), "the page above"))
}
