//! Components without `deploy/manifest.yaml`: what is made in its place is said, what nothing reads is named.

use packaging::lint::lint_component;

use crate::components::Folder;

const LAUNCH: &str = "launch: {command: [/usr/bin/shop], user: shop}\n";

fn message(folder: &Folder) -> String {
    folder.load().deploy.absent.expect("there is no manifest").message()
}

/// The files that lint warns of because nothing reads them.
fn unread(folder: &Folder) -> Vec<String> {
    let faults = lint_component(&folder.load()).into_iter();
    faults
        .filter(|fault| fault.message.contains("there is no deploy/manifest.yaml"))
        .map(|fault| fault.file.unwrap())
        .collect()
}

#[test]
fn absent_manifest_is_said_with_what_is_made_of_component_yaml() {
    assert_eq!(
        message(&Folder::new(LAUNCH)),
        "there is no folder deploy/; a manifest is made of component.yaml, with the user `shop` and the service `shop`"
    );
    assert_eq!(
        message(&Folder::new("tomcat: {war: shop.war, context: /shop}\n").write("deploy/notes.txt", "x")),
        "there is no deploy/manifest.yaml; a manifest is made of component.yaml, with the template `/etc/tomcat10/Catalina/localhost/shop.xml` and the service `tomcat10`"
    );
    assert_eq!(
        message(&Folder::new("")),
        "there is no folder deploy/, and component.yaml asks for nothing that needs a manifest"
    );
    let with = Folder::new(LAUNCH).write("deploy/manifest.yaml", "format: geppetto/manifest/1\n");
    assert_eq!(with.load().deploy.absent, None);
}

#[test]
fn files_that_nothing_reads_without_a_manifest_are_named() {
    let folder = Folder::new(LAUNCH)
        .write("deploy/templates/shop.conf.j2", "x")
        .write("deploy/templates/more/a.j2", "x")
        .write("deploy/manifest.yml", "x");
    assert_eq!(
        unread(&folder),
        ["deploy/manifest.yml", "deploy/templates/more/a.j2", "deploy/templates/shop.conf.j2"]
    );
    // The context of Tomcat is used by the manifest that is made.
    let folder = Folder::new("tomcat: {war: shop.war, context: /shop}\n")
        .write("deploy/templates/context.xml.j2", "<Context/>")
        .write("shop.war", "");
    assert_eq!(unread(&folder), [""; 0]);
    assert_eq!(folder.load().deploy.templates["context.xml.j2"], b"<Context/>");
}

#[test]
fn folder_with_a_name_similar_to_deploy_is_named() {
    for name in ["Deploy", "deployment", "depoly"] {
        let folder =
            Folder::new(LAUNCH).write(&format!("{name}/manifest.yaml"), "x").write("docs/deploy.md", "x");
        assert_eq!(unread(&folder), [format!("{name}/")]);
    }
    let folder = Folder::new(LAUNCH)
        .write("deployment/manifest.yaml", "x")
        .write("deploy/manifest.yaml", "format: geppetto/manifest/1\n");
    assert_eq!(unread(&folder), [""; 0]);
}
