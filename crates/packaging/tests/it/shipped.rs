//! The components in `library/` and `examples/`: judged by our lint and by rpm's, and rendered with values that
//! have been wrong before.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use model::{
    deployment_manifest::{EvaluatedManifest, ManifestVariables, evaluate_manifest, parse_manifest_yaml},
    health::HealthProbe,
    name::Key,
    node::{NodeValue, ValuesOfNodeComponent},
    observe::OsFamily,
    resource::ResourceBody,
    value::Value,
};
use packaging::{
    lint::lint_component,
    openpgp::SecretKey,
    package::{PayloadAndDeploymentPackages, create_packages},
    source::ComponentSource,
};

use crate::{
    packages::judged,
    tools::{NOON, key},
};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of a component's folder, without what builds left in it.
fn copied(component: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if ["build", "target", "dist"].iter().any(|made| name == *made) {
                continue;
            }
            if entry.path().is_dir() {
                copy(&entry.path(), &to.join(name));
            } else {
                fs::copy(entry.path(), to.join(name)).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy(&checkout().join(component), dir.path());
    dir
}

/// What the manifest of a component gives with these values over the defaults, on a host of this family.
fn deployed(
    source: &ComponentSource,
    values: &[(&str, Value)],
    family: Option<OsFamily>,
) -> EvaluatedManifest {
    let plain = |value: &Value| {
        Arc::new(NodeValue { value: Arc::new(value.clone()), secret: false, provenance: Arc::default() })
    };
    let mut all = ValuesOfNodeComponent::default();
    for (key, parameter) in &source.component.parameters {
        // What must be set is among the given values.
        if let Some(default) = &parameter.default {
            all.insert(key.clone(), plain(default));
        }
    }
    for (key, value) in values {
        all.insert(Key::new(key).unwrap(), plain(value));
    }
    let scope = ManifestVariables {
        server: "web-01",
        environment: "prod",
        component: &source.component,
        values: &all,
        others: BTreeMap::new(),
        family,
    };
    let manifest =
        parse_manifest_yaml("deploy/manifest.yaml", source.deploy.manifest.as_ref().unwrap()).unwrap();
    evaluate_manifest(&manifest, &source.deploy.templates, &scope)
        .unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The text of the file at `path`.
#[track_caller]
fn file(evaluated: &EvaluatedManifest, path: &str) -> String {
    let found = evaluated.resources.iter().find_map(|resource| match &resource.body {
        ResourceBody::File(file) if resource.id.name == path => Some(file.content.clone()),
        _ => None,
    });
    let ids: Vec<String> = evaluated.resources.iter().map(|resource| resource.id.to_string()).collect();
    String::from_utf8(found.unwrap_or_else(|| panic!("{path} is not in {ids:?}"))).unwrap()
}

fn asked(evaluated: &EvaluatedManifest) -> Vec<String> {
    let url = |probe: &HealthProbe| match probe {
        HealthProbe::Http { url, .. } => Some(url.to_string()),
        _ => None,
    };
    evaluated.health.iter().filter_map(|health| url(&health.probe)).collect()
}

/// Makes something in place of what builds make: programs, manual pages, completion scripts, an archive.
fn make_instead_of_builds(component: &Path) {
    let made = component.join("build");
    for folder in ["man", "completion"] {
        fs::create_dir_all(made.join(folder)).unwrap();
    }
    for program in ["punch", "geppetto"] {
        fs::copy("/bin/true", made.join(program)).unwrap();
    }
    for shell in ["bash", "fish", "zsh"] {
        fs::write(made.join("completion").join(shell), "# completion\n").unwrap();
    }
    let page = made.join("man/page.1");
    fs::write(&page, ".TH page 1\n.SH NAME\npage \\- tests packaging\n").unwrap();
    assert!(Command::new("gzip").arg("-9n").arg(&page).status().unwrap().success());
    fs::create_dir_all(component.join("target")).unwrap();
    fs::write(component.join("target/tomcat-examples.war"), b"PK\x05\x06").unwrap();
}

/// The packages of one of our own two programs, in `out`, with a program of the host in the place of ours.
pub(crate) fn package_own_program(
    program: &str,
    out: &Path,
    key: &SecretKey,
) -> PayloadAndDeploymentPackages {
    let dir = copied(&format!("library/{program}"));
    make_instead_of_builds(dir.path());
    let source = ComponentSource::load_component_source(dir.path()).unwrap();
    create_packages(&source, out, Some(key), NOON).unwrap()
}

#[test]
fn lint_and_rpmlint_find_no_fault_with_what_is_shipped() {
    for component in [
        "library/punch",
        "library/geppetto",
        "library/os-config/motd",
        "library/os-config/ssh-server",
        "library/os-config/admins",
        "examples/haproxy",
        "examples/node-exporter",
        "examples/tomcat-examples",
    ] {
        let dir = copied(component);
        let source = ComponentSource::load_component_source(dir.path())
            .unwrap_or_else(|errors| panic!("{component}: {errors:#?}"));
        let notes = lint_component(&source);
        // Our own have no page to read more on, and their tests are in the crates.
        let minor = ["`url` is missing", "`test` is missing"];
        assert!(
            notes.iter().all(|note| minor.iter().any(|start| note.message.starts_with(start))),
            "{component}: {notes:#?}"
        );
        make_instead_of_builds(dir.path());
        let key = key("builder");
        let packages = create_packages(&source, &dir.path().join("dist"), Some(&key), NOON)
            .unwrap_or_else(|error| panic!("{component}: {error}"));
        judged(&packages, &key);
    }
}

#[test]
fn ipv4_and_ipv6_addresses_are_listened_on_and_probed() {
    let geppetto = ComponentSource::load_component_source(&checkout().join("library/geppetto")).unwrap();
    let exporter =
        ComponentSource::load_component_source(&checkout().join("examples/node-exporter")).unwrap();
    for (address, listening, asking) in [
        ("127.0.0.1", "127.0.0.1:", "http://127.0.0.1:"),
        ("192.0.2.7", "192.0.2.7:", "http://192.0.2.7:"),
        ("0.0.0.0", "0.0.0.0:", "http://127.0.0.1:"),
        ("::", "[::]:", "http://[::1]:"),
        ("::1", "[::1]:", "http://[::1]:"),
        ("2001:db8::7", "[2001:db8::7]:", "http://[2001:db8::7]:"),
    ] {
        let values = [("address", Value::from(address))];
        let evaluated = deployed(&geppetto, &values, Some(OsFamily::Deb));
        let text = file(&evaluated, "/etc/geppetto/geppetto.env");
        assert!(text.contains(&format!("\nGEPPETTO_LISTEN={listening}8700\n")), "{text}");
        // Beyond the machine it speaks TLS, and whether somebody listens is all that is asked.
        let plain = address == "127.0.0.1" || address == "::1";
        let scheme = if plain { "http" } else { "https" };
        assert!(text.contains(&format!("\nGEPPETTO_ADVERTISE={scheme}://web-01:8700\n")), "{text}");
        let health = [format!("{asking}8700/api/v1/health")];
        assert_eq!(asked(&evaluated), if plain { &health[..] } else { &[] });
        let proxied = deployed(
            &geppetto,
            &[("address", Value::from(address)), ("behind_proxy", Value::Boolean(true))],
            Some(OsFamily::Deb),
        );
        let text = file(&proxied, "/etc/geppetto/geppetto.env");
        assert!(
            text.contains("=http://web-01:") && text.contains("\nGEPPETTO_BEHIND_PROXY=true\n"),
            "{text}"
        );
        assert_eq!(asked(&proxied), health);

        let evaluated = deployed(&exporter, &values, Some(OsFamily::Deb));
        let text = file(&evaluated, "/etc/default/prometheus-node-exporter");
        assert!(text.contains(&format!("--web.listen-address={listening}9100 ")), "{text}");
        assert_eq!(asked(&evaluated), [format!("{asking}9100/metrics")]);
    }
    let everywhere = deployed(&exporter, &[], Some(OsFamily::Deb));
    assert!(
        file(&everywhere, "/etc/default/prometheus-node-exporter").contains("--web.listen-address=:9100")
    );
    assert_eq!(asked(&everywhere), ["http://127.0.0.1:9100/metrics"]);
}

#[test]
fn balancer_has_a_line_for_each_server_with_an_address_and_the_shop() {
    let haproxy = ComponentSource::load_component_source(&checkout().join("examples/haproxy")).unwrap();
    let server = |name: &str, address: &str, shop: &str| {
        format!(r#"{{"name": "{name}", "address": "{address}", "values": {{{shop}}}}}"#)
    };
    let shop = |port: u16| format!(r#""shop": {{"http_port": {port}}}"#);
    let backends = format!(
        "[{}, {}, {}, {}]",
        server("web-01", "10.0.0.11", &shop(8080)),
        server("web-02", "2001:db8::7", &shop(8081)),
        server("web-03", "", &shop(8080)),
        server("web-04", "10.0.0.14", ""),
    );
    let backends: Value = serde_json::from_str(&backends).unwrap();
    let text = file(&deployed(&haproxy, &[("backends", backends)], None), "/etc/haproxy/haproxy.cfg");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("server ")).collect();
    assert_eq!(lines, ["server web-01 10.0.0.11:8080 check", "server web-02 [2001:db8::7]:8081 check"]);
    let none =
        file(&deployed(&haproxy, &[("backends", Value::List(Vec::new()))], None), "/etc/haproxy/haproxy.cfg");
    assert!(none.ends_with("option httpchk GET /health\n"), "{none}");
}

#[test]
fn exporter_label_with_any_text_is_quoted() {
    let exporter =
        ComponentSource::load_component_source(&checkout().join("examples/node-exporter")).unwrap();
    let labels = Value::Map(BTreeMap::from([("data-centre".to_owned(), Value::from("a \"b\" \\ c\nd"))]));
    let evaluated = deployed(&exporter, &[("labels", labels)], Some(OsFamily::Deb));
    let text = file(&evaluated, "/etc/prometheus-node-exporter/geppetto.prom");
    assert!(
        text.ends_with("\ngeppetto_server{server=\"web-01\",data_centre=\"a \\\"b\\\" \\\\ c\\nd\"} 1\n"),
        "{text}"
    );
}

#[test]
fn value_cannot_close_its_xml_attribute() {
    let examples =
        ComponentSource::load_component_source(&checkout().join("examples/tomcat-examples")).unwrap();
    let evaluated = deployed(&examples, &[("allow", Value::from("\"/><Evil a=\""))], Some(OsFamily::Deb));
    let text = file(&evaluated, "/etc/tomcat10/Catalina/localhost/examples.xml");
    assert!(text.contains("unpackWAR=\"false\"") && !text.contains("<Evil"), "{text}");
}

#[test]
fn names_that_differ_between_families_follow_the_host() {
    let ssh =
        ComponentSource::load_component_source(&checkout().join("library/os-config/ssh-server")).unwrap();
    for (family, unit) in [(Some(OsFamily::Deb), "service:ssh"), (Some(OsFamily::Rpm), "service:sshd")] {
        let evaluated = deployed(&ssh, &[], family);
        let ids: Vec<String> = evaluated.resources.iter().map(|resource| resource.id.to_string()).collect();
        assert!(ids.iter().any(|id| id == unit), "{ids:?}");
    }
    for (archetype, family, expected) in [
        ("webapp", OsFamily::Deb, ["file:/etc/tomcat10/Catalina/localhost/my-thing.xml", "service:tomcat10"]),
        ("webapp", OsFamily::Rpm, ["file:/etc/tomcat/Catalina/localhost/my-thing.xml", "service:tomcat"]),
        (
            "monitoring-plugin",
            OsFamily::Deb,
            ["file:/etc/nagios/nrpe.d/my-thing.cfg", "directory:/etc/nagios/nrpe.d"],
        ),
        ("monitoring-plugin", OsFamily::Rpm, ["file:/etc/nrpe.d/my-thing.cfg", "directory:/etc/nrpe.d"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let source = crate::archetypes::plain(archetype, &dir.path().join("it"));
        let evaluated = deployed(&source, &[], Some(family));
        let ids: Vec<String> = evaluated.resources.iter().map(|resource| resource.id.to_string()).collect();
        for id in expected {
            assert!(ids.iter().any(|found| found == id), "{id} is not in {ids:?}");
        }
    }
}

#[test]
fn commands_of_the_agent_configuration_are_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let source = crate::archetypes::plain("monitoring-plugin", &dir.path().join("it"));
    let values = [("path", Value::from("/srv/it's here")), ("warning", Value::from("10; rm"))];
    let text = file(&deployed(&source, &values, Some(OsFamily::Deb)), "/etc/nagios/nrpe.d/my-thing.cfg");
    assert!(text.contains("/check_my_thing -p '/srv/it'\\''s here' -w '10; rm' -c '1000'\n"), "{text}");
}
