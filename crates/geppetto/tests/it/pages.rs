//! Pages as a browser without scripts gets them: who sees which, what forms do, what is refused.

use serde_json::json;

use crate::control_plane::{ControlPlane, ESTATE, Reply};

const PASSWORD: &str = "plum lantern orbit";

/// A browser that somebody is logged in with.
struct Browser<'a> {
    plane: &'a ControlPlane,
    cookie: String,
}

/// The fields of a form, as browsers send them.
fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let encoded = |text: &str| {
        let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect::<String>()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&").into_bytes()
}

/// Sends a form as a browser does that shows a page of this control plane.
fn send(plane: &ControlPlane, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Reply {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    plane.ask("POST", path, "", &headers, &form(fields))
}

/// A user who has set a password.
fn user_with_password(plane: &ControlPlane, name: &str, grants: &[&str]) {
    let link = plane.post("/api/v1/users", &plane.admin(), &json!({"name": name, "grants": grants})).ok();
    let path = link["url"].as_str().unwrap().strip_prefix(&plane.url).unwrap().to_owned();
    let set = send(plane, &path, "", &[("password", PASSWORD), ("again", PASSWORD)]);
    assert_eq!((set.status, set.header("location")), (303, "/log-in"), "{}", set.text());
}

fn log_in(plane: &ControlPlane, name: &str, password: &str) -> Reply {
    send(plane, "/log-in", "", &[("name", name), ("password", password), ("next", "/roles")])
}

impl<'a> Browser<'a> {
    fn of_new_user(plane: &'a ControlPlane, name: &str, grants: &[&str]) -> Self {
        user_with_password(plane, name, grants);
        Self::logged_in(plane, name)
    }

    fn logged_in(plane: &'a ControlPlane, name: &str) -> Self {
        let reply = log_in(plane, name, PASSWORD);
        assert_eq!((reply.status, reply.header("location")), (303, "/roles"), "{}", reply.text());
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { plane, cookie }
    }

    fn get(&self, path: &str) -> Reply {
        self.plane.ask("GET", path, "", &[("cookie", &self.cookie), ("accept", "text/html")], &[])
    }

    /// The text of a page that is there.
    fn page(&self, path: &str) -> String {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.text()
    }

    fn token_of_forms(&self) -> String {
        let page = self.page("/account");
        page.split("form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    fn send(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.token_of_forms();
        let fields: Vec<_> =
            [("form_token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        send(self.plane, path, &self.cookie, &fields)
    }

    fn edit(&self, path: &str, action: &str, text: &str) -> Reply {
        let base = self.page(path);
        let base = base.split("name=\"base\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        self.send(path, &[("action", action), ("text", text), ("base", &base), ("message", "Why not")])
    }
}

/// Each page with the weakest access level that sees it.
const PAGES: [(&str, &str); 22] = [
    ("/", "viewer"),
    ("/account", "viewer"),
    ("/servers", "viewer"),
    ("/servers?text=web&environment=prod&role=web&group=none&state=never-seen&after=a", "viewer"),
    ("/servers/web-01", "viewer"),
    ("/servers/web-01/values", "viewer"),
    ("/servers/web-01/reports", "viewer"),
    ("/roles", "viewer"),
    ("/roles/web", "viewer"),
    ("/groups", "viewer"),
    ("/environments", "viewer"),
    ("/environments/prod", "viewer"),
    ("/components", "viewer"),
    ("/components/shop", "viewer"),
    ("/revisions", "viewer"),
    ("/revisions/1", "viewer"),
    ("/jobs", "viewer"),
    ("/edit/roles/web", "operator"),
    ("/edit/servers/web-01", "operator"),
    ("/edit/groups/new-group", "operator"),
    ("/audit", "operator"),
    ("/users", "admin"),
];

#[test]
fn each_page_is_shown_to_whoever_may_see_it_and_to_nobody_else() {
    let (plane, _) = ControlPlane::with_shop();
    let levels = ["viewer", "developer", "operator", "admin"];
    let browsers = levels.map(|level| Browser::of_new_user(&plane, &format!("one-{level}"), &[level]));
    let elsewhere = Browser::of_new_user(&plane, "elsewhere", &["admin:mars"]);
    for (path, weakest) in PAGES {
        let nobody = plane.get(path, "");
        assert_eq!(nobody.status, 303, "{path}");
        assert!(nobody.header("location").starts_with("/log-in"), "{path}");
        let allowed = levels.iter().position(|level| *level == weakest).unwrap();
        for (rank, browser) in browsers.iter().enumerate() {
            let reply = browser.get(path);
            let expected = if rank >= allowed { 200 } else { 403 };
            assert_eq!(reply.status, expected, "{path} as {}: {}", levels[rank], reply.text());
            assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{path}");
            assert_eq!(reply.header("cache-control"), "no-store", "{path}");
            let text = reply.text();
            // One script, of ours; nothing is written into the page itself.
            assert_eq!(
                text.matches("<script").count(),
                text.matches("<script type=\"module\" src=\"/assets/live.js\"></script>").count(),
                "{path}"
            );
            assert!(!text.contains(" style=") && !text.contains(" onclick="), "{path}");
            assert!(!text.contains("hunter2"), "{path} shows a secret to {}", levels[rank]);
        }
    }
    // What belongs to an environment is refused where the grant holds elsewhere.
    for path in [
        "/servers/web-01",
        "/servers/web-01/values",
        "/environments/prod",
        "/edit/servers/web-01",
        "/audit",
        "/users",
    ] {
        assert_eq!(elsewhere.get(path).status, 403, "{path}");
    }
    assert!(!elsewhere.page("/servers").contains("web-01"));
}

#[test]
fn every_link_of_a_page_leads_to_a_page() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["admin"]);
    let (mut waiting, mut seen) = (vec!["/".to_owned()], std::collections::BTreeSet::new());
    while let Some(address) = waiting.pop() {
        if !seen.insert(address.clone()) || address.starts_with("/docs") {
            continue;
        }
        let page = browser.page(&address);
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.replace("&amp;", "&").replace("&#38;", "&");
            assert!(link.starts_with('/') || link.starts_with('#'), "{address} leads to {link}");
            if link.starts_with('/') {
                waiting.push(link.split('#').next().unwrap().to_owned());
            }
        }
    }
    for page in
        ["/servers/web-01/values", "/roles/web", "/components/shop", "/revisions/1", "/edit/roles/web"]
    {
        assert!(seen.contains(page), "no page leads to {page}: {seen:?}");
    }
    assert_eq!(browser.get("/nowhere").header("content-type"), "text/html; charset=utf-8");
    assert_eq!(browser.get("/nowhere").status, 404);
}

#[test]
fn first_start_names_the_command_that_prints_the_first_password_link() {
    let plane = ControlPlane::start();
    assert!(plane.log().contains("`punch user password-link admin`"), "{}", plane.log());
    let link = plane.punch(&["user", "password-link", "admin"]).ok();
    let path = link.trim().strip_prefix(&plane.url).unwrap().to_owned();
    assert!(plane.get(&path, "").text().contains("<strong>admin</strong>"));
    let set =
        |password: &str, again: &str| send(&plane, &path, "", &[("password", password), ("again", again)]);
    for (password, again, why) in [
        ("short", "short", "fewer than 12 characters"),
        (PASSWORD, "plum lantern", "not the same"),
        ("i am the admin here", "i am the admin here", "the name of the user"),
    ] {
        let refused = set(password, again);
        assert!(refused.status == 422 && refused.text().contains(why), "{}", refused.text());
    }
    assert_eq!(set(PASSWORD, PASSWORD).status, 303);
    // Once.
    assert_eq!(set(PASSWORD, PASSWORD).status, 404);
    assert_eq!(plane.get(&path, "").status, 404);
    let browser = Browser::logged_in(&plane, "admin");
    assert!(browser.page("/").contains("No servers yet"));
    assert!(!plane.log().contains("gpl_"), "the log has a password link");
}

#[test]
fn wrong_password_and_unknown_user_are_refused_alike_and_recorded() {
    let plane = ControlPlane::start();
    user_with_password(&plane, "ann", &["viewer"]);
    let wrong = log_in(&plane, "ann", "plum lantern orbit?");
    let unknown = log_in(&plane, "ben", PASSWORD);
    assert_eq!((wrong.status, unknown.status), (422, 422));
    assert!(wrong.text().contains("no user of this name with this password"), "{}", wrong.text());
    assert_eq!(wrong.text().replace("ann", "ben"), unknown.text());
    assert_eq!(wrong.header("set-cookie"), "");
    assert_eq!(log_in(&plane, "ann", PASSWORD).status, 303);
    let audit = plane.get("/api/v1/audit", &plane.admin()).text();
    assert!(audit.contains("log-in") && audit.contains("set-password"), "{audit}");
    assert!(!audit.contains(PASSWORD) && !plane.log().contains(PASSWORD));
}

#[test]
fn session_ends_with_log_out_another_password_and_a_disabled_user() {
    let plane = ControlPlane::start();
    let browser = Browser::of_new_user(&plane, "ann", &["viewer"]);
    let other = Browser::logged_in(&plane, "ann");
    assert_eq!(browser.send("/log-out", &[]).status, 303);
    assert_eq!(browser.get("/servers").status, 303);
    assert_eq!(other.get("/servers").status, 200);
    let sessions = other.page("/account");
    assert_eq!(sessions.matches("(this one)").count(), 1, "{sessions}");
    let third = Browser::logged_in(&plane, "ann");
    let page = other.page("/account");
    let end = page.split("action=\"/account/sessions/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(other.send(&format!("/account/sessions/{end}"), &[]).status, 303);
    assert_eq!(third.get("/servers").status, 303);
    // Grants hold at once.
    plane.punch(&["user", "grant", "ann", "--grant", "operator"]).ok();
    assert_eq!(other.get("/audit").status, 200);
    let link = plane.punch(&["user", "password-link", "ann"]).ok();
    let path = link.trim().strip_prefix(&plane.url).unwrap();
    assert_eq!(other.get("/servers").status, 200);
    let changed = "four entirely other words";
    assert_eq!(send(&plane, path, "", &[("password", changed), ("again", changed)]).status, 303);
    assert_eq!(other.get("/servers").status, 303);
    assert_eq!(log_in(&plane, "ann", PASSWORD).status, 422);
    let again = log_in(&plane, "ann", changed);
    let cookie = again.header("set-cookie").split(';').next().unwrap().to_owned();
    let last = Browser { plane: &plane, cookie };
    assert_eq!(last.get("/servers").status, 200);
    plane.punch(&["user", "disable", "ann"]).ok();
    assert_eq!(last.get("/servers").status, 303);
    assert_eq!(log_in(&plane, "ann", changed).status, 422);
}

#[test]
fn form_of_another_site_or_without_the_token_of_the_session_changes_nothing() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["admin"]);
    let token = browser.token_of_forms();
    let fields = |token: &str| form(&[("form_token", token), ("name", "mallory"), ("grants", "admin")]);
    let urlencoded = ("content-type", "application/x-www-form-urlencoded");
    let cookie = ("cookie", browser.cookie.as_str());
    for headers in [
        vec![urlencoded, cookie, ("sec-fetch-site", "cross-site")],
        vec![urlencoded, cookie, ("sec-fetch-site", "same-site"), ("origin", plane.url.as_str())],
        vec![urlencoded, cookie, ("origin", "https://evil.example")],
        vec![urlencoded, cookie],
    ] {
        let refused = plane.ask("POST", "/users", "", &headers, &fields(&token));
        assert_eq!(refused.status, 403, "{headers:?}");
    }
    let own = [urlencoded, cookie, ("sec-fetch-site", "same-origin")];
    let other = Browser::logged_in(&plane, "ann").token_of_forms();
    for token in ["", "0", &other] {
        assert_eq!(plane.ask("POST", "/users", "", &own, &fields(token)).status, 403);
    }
    assert!(!plane.punch(&["user", "list"]).ok().contains("mallory"));
    assert_eq!(plane.ask("POST", "/users", "", &own, &fields(&token)).status, 200);
    assert!(plane.punch(&["user", "list"]).ok().contains("mallory"));
    // A session is for pages, not for the API; and a token of the API opens no page.
    let secret = browser.cookie.split_once('=').unwrap().1;
    assert_eq!(plane.get("/api/v1/servers", secret).status, 401);
    assert_eq!(plane.get("/servers", &plane.admin()).status, 303);
}

#[test]
fn component_chosen_for_a_server_is_previewed_and_committed_without_a_script() {
    let (plane, key) = ControlPlane::with_shop();
    plane.publish_shop("2.0.0", &key, "prod");
    plane
        .import(&[
            ESTATE[0],
            ESTATE[1],
            ESTATE[2],
            ("servers/db-01.yaml", "format: geppetto/server/2\nenvironment: prod\n"),
        ])
        .ok();
    let browser = Browser::of_new_user(&plane, "ann", &["operator"]);
    let path = "/edit/servers/db-01";
    let page = browser.page(path);
    assert!(page.contains("<option value=\"shop\">") && page.contains("environment: prod"), "{page}");
    let text = "format: geppetto/server/2\nenvironment: prod\nvalues: {shop: {password: horse}}\n";
    let chosen = browser.send(
        path,
        &[
            ("action", "add-component"),
            ("component", "shop"),
            ("range", "1.0.0"),
            ("text", text),
            ("base", "2"),
        ],
    );
    let preview = chosen.text();
    assert_eq!(chosen.status, 200, "{preview}");
    for part in ["1 server changes", "installs shop 1.0.0", "Commit to 1 server", "shop: &#34;1.0.0&#34;"] {
        assert!(preview.contains(part), "{part} in {preview}");
    }
    // Only a commit commits.
    assert_eq!(plane.get("/api/v1/revisions", &plane.admin()).ok()["items"][0]["number"], 2);
    let edited = preview.split("spellcheck=\"false\">").nth(1).unwrap().split("</textarea>").next().unwrap();
    let edited = edited.replace("&#34;", "\"").replace("&#39;", "'").replace("&#62;", ">");
    let done = browser.edit(path, "commit", &edited);
    assert_eq!((done.status, done.header("location")), (303, "/revisions/3"), "{}", done.text());
    let revision = browser.page("/revisions/3");
    for part in ["Why not", "user ann", "shop"] {
        assert!(revision.contains(part), "{part} in {revision}");
    }
    assert!(!revision.contains("horse"), "{revision}");
    assert!(plane.get("/api/v1/servers/db-01/node", &plane.admin()).text().contains("1.0.0"));
    let values = browser.page("/servers/db-01/values");
    assert!(
        values.contains("shop.http_port") && values.contains("(secret)") && !values.contains("horse"),
        "{values}"
    );
}

#[test]
fn faults_of_an_edit_are_shown_and_what_was_typed_stays() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["operator"]);
    let typed =
        "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {http_port: many}}\n# <mine>\n";
    let refused = browser.edit("/edit/roles/web", "commit", typed);
    let text = refused.text();
    assert_eq!(refused.status, 422);
    assert!(text.contains("Nothing was changed") && text.contains("http_port"), "{text}");
    assert!(text.contains("# &#60;mine&#62;"), "{text}");
    assert_eq!(plane.get("/api/v1/revisions", &plane.admin()).ok()["items"][0]["number"], 1);
}

#[test]
fn secret_is_a_mask_in_the_editor_and_stays_what_it_is() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["operator"]);
    let page = browser.page("/edit/roles/web");
    assert!(page.contains("(secret)") && !page.contains("hunter2"), "{page}");
    let text = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {http_port: 9090, password: (secret)}}\n";
    let done = browser.edit("/edit/roles/web", "commit", text);
    assert_eq!(done.status, 303, "{}", done.text());
    let stored = plane.get("/api/v1/roles/web", &plane.admin()).ok()["document"].as_str().unwrap().to_owned();
    assert!(stored.contains("hunter2") && stored.contains("9090"), "{stored}");
    // A mask where nothing is stored stands for nothing.
    let elsewhere = "format: geppetto/group/1\nvalues: {shop: {password: (secret)}}\n";
    let refused = browser.edit("/edit/groups/extra", "commit", elsewhere);
    assert!(refused.status == 422 && refused.text().contains("write the value"), "{}", refused.text());
}

#[test]
fn edit_that_was_overtaken_shows_both_texts_and_overwrites_nothing() {
    let (plane, _) = ControlPlane::with_shop();
    let ann = Browser::of_new_user(&plane, "ann", &["operator"]);
    let ben = Browser::of_new_user(&plane, "ben", &["operator"]);
    let text = |port: u16| {
        format!(
            "format: geppetto/role/1\ncomponents: {{shop: '*'}}\nvalues: {{shop: {{http_port: {port}, password: (secret)}}}}\n"
        )
    };
    let (of_ann, of_ben) = (text(1111), text(2222));
    let send = |browser: &Browser<'_>, text: &str, base: &str| {
        browser.send("/edit/roles/web", &[("action", "commit"), ("text", text), ("base", base)])
    };
    assert_eq!(send(&ann, &of_ann, "1").status, 303);
    let overtaken = send(&ben, &of_ben, "1");
    let page = overtaken.text();
    assert_eq!(overtaken.status, 422, "{page}");
    for part in ["What is stored now", "1111", "2222", "name=\"base\" value=\"2\""] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Having seen it, ben decides.
    assert_eq!(send(&ben, &of_ben, "2").status, 303);
}

#[test]
fn place_is_removed_after_a_preview_that_says_what_goes() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["operator"]);
    let preview = browser.edit("/edit/servers/web-01", "preview-removal", "");
    let page = preview.text();
    assert!(page.contains("would be removed") && page.contains("name=\"remove\" value=\"yes\""), "{page}");
    let done =
        browser.send("/edit/servers/web-01", &[("action", "commit"), ("remove", "yes"), ("base", "1")]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(browser.get("/servers/web-01").status, 404);
}

#[test]
fn edit_needs_the_grant_where_its_effects_fall() {
    let (plane, _) = ControlPlane::with_shop();
    let browser = Browser::of_new_user(&plane, "ann", &["viewer", "operator:staging"]);
    let text = "format: geppetto/role/1\ncomponents: {shop: '*'}\nvalues: {shop: {http_port: 9090, password: (secret)}}\n";
    let refused = browser.edit("/edit/roles/web", "commit", text);
    assert!(refused.status == 422 && refused.text().contains("access level operator"), "{}", refused.text());
}
