//! What the checks share: a developer, a control plane, a host that has joined.

use std::{fs, thread::sleep, time::Duration};

use super::E2e;
use crate::{
    command_failure::{CommandFailure, io},
    host::{BootedHost, HostGround, Image},
    plane::Plane,
    run::{Answer, Terminal},
    stage::{self, Stage},
};

/// Components the hosts get beside `shop`, by their folder in the checkout.
const COMPONENTS: [&str; 7] = [
    "library/punch",
    "library/geppetto",
    "library/os-config/motd",
    "library/os-config/ssh-server",
    "library/os-config/admins",
    "examples/node-exporter",
    "examples/tomcat-examples",
];

/// Archetypes, and the name of the component that is generated from each.
const GENERATED_COMPONENTS: [(&str, &str); 5] = [
    ("processing", "stock"),
    ("db-schema", "ledger"),
    ("monitoring-plugin", "queue"),
    ("os-config", "journal"),
    ("webapp", "portal"),
];

// Dropped in this order: the host needs the ground's network, and the ground removes it.
/// Everything that runs.
pub(super) struct World {
    /// The server web-01.
    pub(super) host: BootedHost,
    /// The control plane; absent while a check has stopped it.
    pub(super) plane: Option<Plane>,
    /// The developer.
    pub(super) stage: Stage,
    _ground: HostGround,
}

impl World {
    /// Makes, publishes and promotes everything; boots web-01, installs punch on it and joins it.
    pub(super) fn prepare(e2e: &E2e<'_>) -> Result<World, CommandFailure> {
        let mut ground = HostGround::prepare(e2e.work)?;
        let image = Image::debian(e2e.work)?.with_archive(e2e.work)?;
        let stage = Stage::create(e2e.root, e2e.work, "e2e", &e2e.programs, e2e.profile)?;
        let you = &stage.you;
        let plane = stage::serve(you, &ground.address())?;
        stage::log_in_developer(you, &plane)?;
        stage::package_two_shop_versions(&stage)?;
        for (archetype, name) in GENERATED_COMPONENTS {
            you.run(&format!("punch new {archetype} {name}"))?;
            you.run(&format!("punch test {name}"))?;
            you.run(&format!("punch package {name} --out dist --key alice.key"))?;
        }
        for component in COMPONENTS {
            you.run(&format!("punch package {}/{component} --out dist --key alice.key", e2e.root.display()))?;
        }
        you.run("punch publish dist/*.rpm --channel dev")?;
        for component in stage::published_components(&stage.folder.join("dist"))? {
            you.run(&format!("punch promote {component} --from dev --to prod"))?;
        }
        let host = ground.boot(&image, "web-01")?;
        stage::install_punch(&host.terminal(), &plane)?;
        let world = World { host, plane: Some(plane), stage, _ground: ground };
        world.role("punch: \">=0.1\"", "punch: {automatic: false}")?;
        world.write("environments/prod.yaml", "format: geppetto/environment/1\nchannel: prod\n")?;
        world.write(
            "servers/web-01.yaml",
            "format: geppetto/server/1\nenvironment: prod\nroles: [base, web]\n",
        )?;
        world.write("roles/base.yaml", "format: geppetto/role/1\n")?;
        world.import()?;
        world.join()?;
        Ok(world)
    }

    /// Where the control plane answers.
    pub(super) fn url(&self) -> String {
        self.plane.as_ref().map(|plane| plane.url().to_owned()).unwrap_or_default()
    }

    /// The developer's terminal.
    pub(super) fn developer(&self) -> &Terminal {
        &self.stage.you
    }

    /// Sets what the role `web` carries: lines of YAML maps, and makes it a revision.
    pub(super) fn set_web_role(&self, components: &str, values: &str) -> Result<Answer, CommandFailure> {
        self.role(components, values)?;
        self.import()
    }

    /// Imports the estate's folder.
    pub(super) fn import(&self) -> Result<Answer, CommandFailure> {
        self.developer().run("punch import estate")
    }

    /// Runs a command on the host; any exit code is an answer.
    pub(super) fn on_host(&self, typed: &str) -> Result<Answer, CommandFailure> {
        self.host.terminal().run_any_exit(typed)
    }

    /// Restores the host, which must succeed.
    pub(super) fn restore(&self) -> Result<Answer, CommandFailure> {
        self.on_host("punch restore")?.expect(0, "`punch history` on web-01, and the output above")
    }

    /// Asks a path of the host from outside, for as long as a minute: a servlet container takes its time.
    pub(super) fn http_get(&self, port: u16, path: &str, text: &str) -> Result<(), CommandFailure> {
        let here = Terminal::here(&self.stage.folder);
        let typed = format!("curl -fsS --max-time 5 http://{}:{port}{path}", self.host.address());
        for _ in 0..60 {
            let answer = here.run_any_exit(&typed)?;
            if answer.code == 0 && answer.out.contains(text) {
                return Ok(());
            }
            sleep(Duration::from_secs(1));
        }
        here.run(&typed)?.expect_output(text).map(drop)
    }

    fn join(&self) -> Result<(), CommandFailure> {
        let token = self.developer().run("punch server join-token web-01")?.out;
        let token = token.trim().lines().last().unwrap_or_default().to_owned();
        self.on_host(&format!("punch join {} --server web-01 --token {token}", self.url()))?
            .expect(0, "geppetto.log")
            .map(drop)
    }

    fn role(&self, components: &str, values: &str) -> Result<(), CommandFailure> {
        let text = format!("format: geppetto/role/1\ncomponents: {{{components}}}\nvalues: {{{values}}}\n");
        self.write("roles/web.yaml", &text)
    }

    fn write(&self, path: &str, text: &str) -> Result<(), CommandFailure> {
        let file = self.stage.folder.join("estate").join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(io("create", folder))?;
        }
        fs::write(&file, text).map_err(io("write", &file))
    }
}
