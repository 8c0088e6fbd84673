//! The manifest that is made of `component.yaml` for a component without `deploy/manifest.yaml`.

use std::{collections::BTreeMap, fmt::Write};

use model::{
    component::{Component, OsPackageRequirements},
    format::component::{LaunchSettings, TomcatContext},
};

use super::deploy::DeployFolder;

/// The template of a Tomcat context a component gets when it has none of its own.
const CONTEXT_TEMPLATE: &str = "context.xml.j2";

impl DeployFolder {
    /// Adds what follows from `component.yaml` where the developer wrote nothing: a context for Tomcat, and a
    /// manifest that creates the account and runs the service.
    pub(super) fn add_default_manifest_and_templates(
        mut self,
        component: &Component,
        launch: Option<&LaunchSettings>,
        timer: bool,
        tomcat: Option<&TomcatContext>,
    ) -> DeployFolder {
        let name = &component.name;
        let (mut text, mut made) = (String::new(), Vec::new());
        if let Some(launch) = launch {
            if launch.user != "root" {
                let _ = write!(text, "  - user: {}\n    system: true\n", launch.user);
                made.push(format!("the user `{}`", launch.user));
            }
            let _ = write!(text, "  - service: {name}\n    enabled: true\n    running: true\n");
            made.push(format!("the service `{name}`"));
        }
        if timer {
            let _ = write!(text, "  - service: {name}.timer\n    enabled: true\n    running: true\n");
            made.push(format!("the timer `{name}.timer`"));
        }
        let mut templates = BTreeMap::new();
        if let Some(tomcat) = tomcat {
            let path = format!("/etc/tomcat10/Catalina/localhost/{}", tomcat.tomcat_context_file_name());
            // Debian lets Tomcat's own user change the first, and Tomcat makes the second for itself; what root writes there would not be safe.
            let _ = write!(
                text,
                "  - directory: /etc/tomcat10/Catalina\n    owner: root\n    mode: \"0755\"\n  - directory: /etc/tomcat10/Catalina/localhost\n    owner: root\n    mode: \"0755\"\n  - template: \"{path}\"\n    source: {CONTEXT_TEMPLATE}\n    mode: \"0644\"\n    notify: [service:tomcat10]\n  - service: tomcat10\n    enabled: true\n    running: true\n",
            );
            made.push(format!("the template `{path}`"));
            made.push("the service `tomcat10`".to_owned());
            // Served from the archive itself: Tomcat keeps what it unpacked of an archive of the same time, and
            // all versions have the time of the source.
            let context =
                format!("<Context docBase=\"/usr/share/{name}/{name}.war\" unpackWAR=\"false\"/>\n");
            templates.insert(CONTEXT_TEMPLATE.to_owned(), context.into_bytes());
        }
        if let Some(absent) = &mut self.absent {
            if component.os_packages != OsPackageRequirements::default() {
                made.push("the packages of `os_packages`".to_owned());
            }
            if !made.is_empty() {
                let resources = if text.is_empty() { " []\n".to_owned() } else { format!("\n{text}") };
                self.manifest = Some(format!("format: geppetto/manifest/1\nresources:{resources}"));
            }
            absent.made = made;
            let read = |name: &String| templates.contains_key(name);
            let unread = self.templates.keys().filter(|name| !read(name));
            absent.unread.extend(unread.map(|name| format!("deploy/templates/{name}")));
            absent.unread.sort();
        }
        for (name, text) in templates {
            self.templates.entry(name).or_insert(text);
        }
        self
    }
}
