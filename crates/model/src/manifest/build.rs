//! One filled-in declaration becomes one resource: what each kind is made of, and what it refuses.

use super::fields::{self, FieldReader};
use crate::{
    health::HealthProbe,
    resource::{
        CronResource, ExecResource, FileResource, GroupResource, Ownership, ResourceBody, ResourceKind,
        ServiceResource, UserResource,
    },
    value::Value,
};

/// The kind a manifest's word stands for: a template is a file after rendering.
pub(super) fn resource_kind(word: &str) -> Option<ResourceKind> {
    let word = if word == "template" { "file" } else { word };
    ResourceKind::ALL.into_iter().find(|kind| kind.keyword() == word)
}

/// What the resource must be like; mistakes are noted in `fields`.
pub(super) fn build_resource_body(
    word: &str,
    name: &str,
    fields: &mut FieldReader<'_>,
    content: Option<Vec<u8>>,
) -> Option<ResourceBody> {
    let kind = resource_kind(word)?;
    if let Some(problem) = name_problem(kind, name) {
        fields.add_error(&problem);
    }
    Some(match kind {
        ResourceKind::File => ResourceBody::File(FileResource {
            content: file_content(fields, content),
            ownership: ownership(fields),
        }),
        ResourceKind::Directory => ResourceBody::Directory(ownership(fields)),
        ResourceKind::Symlink => ResourceBody::Symlink(symlink(fields)),
        ResourceKind::User => ResourceBody::User(user(fields)),
        ResourceKind::Group => ResourceBody::Group(GroupResource {
            gid: fields.id("gid"),
            system: fields.flag("system").unwrap_or(false),
        }),
        ResourceKind::Service => ResourceBody::Service(ServiceResource {
            enabled: fields.flag("enabled"),
            running: fields.flag("running"),
            reload: fields.flag("reload").unwrap_or(false),
        }),
        ResourceKind::Cron => ResourceBody::Cron(cron(fields)),
        ResourceKind::Package => ResourceBody::Package { version: fields.text("version") },
        ResourceKind::Exec => ResourceBody::Exec(exec(fields)),
    })
}

/// What the health check asks; mistakes are noted in `fields`.
pub(super) fn build_health_probe(
    word: &str,
    subject: Value,
    fields: &mut FieldReader<'_>,
) -> Option<HealthProbe> {
    match word {
        "command" => match fields::command(subject) {
            Some(command) => Some(HealthProbe::Command { command }),
            None => {
                fields.add_error(
                    "`command` must be a list: the program with its absolute path, then its arguments",
                );
                None
            }
        },
        "tcp" => {
            let address = fields::scalar(subject).unwrap_or_default();
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) {
                fields.add_error("write HOST:PORT, for instance `127.0.0.1:8080`");
            }
            Some(HealthProbe::Tcp { address })
        }
        _ => {
            let url = fields::scalar(subject).unwrap_or_default();
            let rest = url.strip_prefix("http://").unwrap_or_default();
            if rest.is_empty()
                || rest.starts_with(['/', ':'])
                || url.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                fields.add_error("write a URL that starts with `http://` and a host, for instance `http://127.0.0.1:8080/health`");
            }
            let status = fields.number("status").map_or(200, |status| u16::try_from(status).unwrap_or(0));
            if !(100..=599).contains(&status) {
                fields.add_error("`status` must be from 100 to 599");
            }
            Some(HealthProbe::Http { url, status, contains: fields.text("contains") })
        }
    }
}

fn file_content(fields: &mut FieldReader<'_>, source: Option<Vec<u8>>) -> Vec<u8> {
    match (fields.content("content"), source) {
        (Some(content), None) => content.into_bytes(),
        (None, Some(source)) => source,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            fields.add_error("it has both `content` and `source`; keep one");
            Vec::new()
        }
    }
}

fn ownership(fields: &mut FieldReader<'_>) -> Ownership {
    let ownership =
        Ownership { owner: fields.text("owner"), group: fields.text("group"), mode: fields.mode() };
    for name in ownership.owner.iter().chain(&ownership.group) {
        if !account(name) && name.parse::<u32>().is_err() {
            fields.add_error(&format!("`{name}` is no name of a user or group"));
        }
    }
    ownership
}

fn symlink(fields: &mut FieldReader<'_>) -> String {
    let target = fields.required_text("target");
    if target.is_empty() {
        fields.add_error("`target` must not be empty");
    }
    target
}

fn user(fields: &mut FieldReader<'_>) -> UserResource {
    let user = UserResource {
        uid: fields.id("uid"),
        group: fields.text("group"),
        groups: fields.texts("groups"),
        home: fields.text("home"),
        shell: fields.text("shell"),
        comment: fields.text("comment"),
        system: fields.flag("system").unwrap_or(false),
        authorized_keys: fields.texts("authorized_keys"),
    };
    for group in user.group.iter().chain(user.groups.iter().flatten()) {
        if !account(group) {
            fields.add_error(&format!("`{group}` is no name of a group"));
        }
    }
    for (what, path) in [("home", &user.home), ("shell", &user.shell)] {
        if let Some(problem) = path.as_deref().and_then(path_problem) {
            fields.add_error(&format!("`{what}`: {problem}"));
        }
    }
    // These end up between colons in /etc/passwd.
    if user.comment.iter().chain(&user.home).chain(&user.shell).any(|text| text.contains(':')) {
        fields.add_error("`comment`, `home` and `shell` cannot have a colon");
    }
    user
}

fn cron(fields: &mut FieldReader<'_>) -> CronResource {
    let cron = CronResource {
        schedule: fields.required_text("schedule").split_whitespace().collect::<Vec<_>>().join(" "),
        user: fields.text("user").unwrap_or_else(|| "root".to_owned()),
        command: fields.required_text("command"),
        environment: fields.environment(),
    };
    let nickname = ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"]
        .contains(&cron.schedule.as_str());
    let five = cron.schedule.split(' ').count() == 5
        && cron.schedule.chars().all(|c| c.is_ascii_alphanumeric() || " *,/-".contains(c));
    if !nickname && !five {
        fields.add_error("`schedule` must be five fields (`5 * * * *`) or one of @hourly, @daily, @weekly, @monthly, @yearly, @reboot");
    }
    if !account(&cron.user) {
        fields.add_error(&format!("`{}` is no name of a user", cron.user));
    }
    cron
}

fn exec(fields: &mut FieldReader<'_>) -> ExecResource {
    let exec = ExecResource {
        command: fields.command("command").unwrap_or_default(),
        creates: fields.text("creates"),
        unless: fields.command("unless"),
        only_if: fields.command("only_if"),
        refresh_only: fields.flag("refresh_only").unwrap_or(false),
        user: fields.text("user"),
        directory: fields.text("directory"),
        environment: fields.environment(),
        timeout: fields.number("timeout").unwrap_or(300).clamp(1, 86_400),
    };
    if exec.command.is_empty() && fields.errors.is_empty() {
        fields.add_error(
            "`command` is missing: a list of the program with its absolute path, then its arguments",
        );
    }
    if exec.creates.is_none() && exec.unless.is_none() && exec.only_if.is_none() && !exec.refresh_only {
        fields.add_error("without a guard it would run every time; give it `creates`, `unless`, `only_if` or `refresh_only: true`");
    }
    for (what, path) in [("creates", &exec.creates), ("directory", &exec.directory)] {
        if let Some(problem) = path.as_deref().and_then(path_problem) {
            fields.add_error(&format!("`{what}`: {problem}"));
        }
    }
    if let Some(user) = exec.user.as_deref().filter(|user| !account(user)) {
        fields.add_error(&format!("`{user}` is no name of a user"));
    }
    exec
}

/// Why a resource of this kind cannot be called `name`.
fn name_problem(kind: ResourceKind, name: &str) -> Option<String> {
    let plain = |more: &str| {
        (1..=255).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c))
    };
    let right = match kind {
        ResourceKind::File | ResourceKind::Directory | ResourceKind::Symlink => return path_problem(name),
        ResourceKind::User | ResourceKind::Group => account(name),
        ResourceKind::Service => plain("-.@:\\"),
        // cron ignores files with a dot in their name.
        ResourceKind::Cron => plain("-"),
        ResourceKind::Package => plain("-.+:"),
        ResourceKind::Exec => plain("-. /:"),
    };
    (!right).then(|| format!("this is no name for a {}", kind.keyword()))
}

fn path_problem(path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some(format!("`{}` is no absolute path: it must start with `/`", shorten(path)));
    };
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.len() > 4000 || path.chars().any(char::is_control) || rest.split('/').any(bad) {
        return Some(format!(
            "`{}` must be a path without `..`, `.`, `//`, control characters or a final `/`",
            shorten(path)
        ));
    }
    None
}

/// A name `useradd` takes.
fn account(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
