//! The real Puppet takes a server's classes and parameters from here.

use crate::skip::has_tool;
use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::control_plane::{ControlPlane, punch_program, result_of};

/// Writes what it was given into a file; its parameters have types, so that Puppet checks them too.
const CLASS: &str = "\
class shop(Integer $http_port, String $password) {
  file { 'OUT': content => \"${http_port} ${password} ${geppetto['server']} ${geppetto['versions']['shop']}\\n\" }
}
";

#[test]
fn puppet_takes_classes_and_parameters_from_the_external_node_classifier() {
    if !has_tool("puppet") {
        return;
    }
    let (plane, _) = ControlPlane::with_shop();
    let out = plane.path("out");
    let module = plane.path("code/environments/prod/modules/shop/manifests");
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join("init.pp"), CLASS.replace("OUT", out.to_str().unwrap())).unwrap();
    let script = plane.path("enc");
    let (program, socket) = (punch_program(), plane.data().join("geppetto.sock"));
    let text = format!(
        "#!/bin/sh\nexec '{}' server enc --socket '{}' \"$1\"\n",
        program.display(),
        socket.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let puppet = Command::new("puppet")
        .args(["apply", "--certname", "web-01", "--node_terminus", "exec", "--environment", "prod"])
        .arg("--external_nodes")
        .arg(&script)
        .arg("--confdir")
        .arg(plane.path("conf"))
        .arg("--vardir")
        .arg(plane.path("var"))
        .arg("--codedir")
        .arg(plane.path("code"))
        .arg("--environmentpath")
        .arg(plane.path("code/environments"))
        .args(["-e", ""])
        .output()
        .unwrap();
    let message = result_of(puppet);
    assert_eq!(message.code, 0, "{}{}", message.out, message.err);
    let written =
        fs::read_to_string(out).unwrap_or_else(|error| panic!("{error}: {}{}", message.out, message.err));
    assert_eq!(written, "8080 hunter2 web-01 1.0.0-1\n");
}
