//! The plan as text: what the terminal, the pages and the tests show.

use std::{collections::BTreeSet, fmt};

use super::{
    BlockedSubject, PackageToInstall, Plan, PlannedAction, PlannedChange, ResourcePropertyDifference,
};
use crate::{
    name::Name,
    observe::{ResourcePropertyKind, ResourcePropertyValue},
    resource::ResourceBody,
    unified_diff,
};

/// How many lines of one diff are shown.
const LINES: usize = 60;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_summary_line(f)?;
        for change in &self.changes {
            write!(f, "{change}")?;
        }
        for blocked in &self.blocked {
            writeln!(f, "blocked {}: {}", blocked.what, blocked.because)?;
        }
        for (component, health) in self.health.iter().filter(|_| !self.changes.is_empty()) {
            writeln!(f, "check {health} ({component})")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// How many changes of each sort there are: people read it first, and the detail only when it surprises them.
    fn write_summary_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = PlanCounts::count_plan_changes(self);
        match (self.has_no_changes_or_blocks(), counts.blocked) {
            (true, _) => writeln!(f, "nothing to do; {} things are right already", self.unchanged),
            (false, 0) => writeln!(f, "{counts}"),
            (false, _) if self.blocks_run() => {
                writeln!(f, "{counts}; nothing is changed while something is blocked")
            }
            (false, _) => {
                let blocked = self.blocked_components();
                let names: Vec<&str> = blocked.iter().map(Name::as_str).collect();
                let (word, stay) = if names.len() == 1 {
                    ("component", "stays as it is")
                } else {
                    ("components", "stay as they are")
                };
                writeln!(f, "{counts}; {word} {} {stay}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for BlockedSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockedSubject::Resource(id) => id.fmt(f),
            BlockedSubject::Package(name) => write!(f, "package {name}"),
            BlockedSubject::Removals => f.write_str("removals"),
            BlockedSubject::Component(name) => write!(f, "component {name}"),
            BlockedSubject::Downgrade(name) => write!(f, "downgrade of {name}"),
        }
    }
}

/// How many changes of each sort a plan has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PlanCounts {
    /// Made anew: packages and resources.
    pub created: usize,
    /// Made different, commands run.
    pub changed: usize,
    /// Removed.
    pub removed: usize,
    /// Services restarted or reloaded.
    pub restarted: usize,
    /// Not decided.
    pub blocked: usize,
    /// Right already.
    pub unchanged: usize,
}

impl PlanCounts {
    /// Counts the changes of `plan`.
    pub fn count_plan_changes(plan: &Plan) -> Self {
        let mut counts = Self { blocked: plan.blocked.len(), unchanged: plan.unchanged, ..Self::default() };
        for change in &plan.changes {
            match &change.action {
                PlannedAction::InstallPackages(_) => {
                    let new =
                        change.differences.iter().filter(|difference| difference.before.is_none()).count();
                    counts.created += new;
                    counts.changed += change.differences.len() - new;
                }
                PlannedAction::RemovePackages { names, .. } => counts.removed += names.len(),
                PlannedAction::Apply(_) if change.creates => counts.created += 1,
                PlannedAction::Apply(_) => counts.changed += 1,
                PlannedAction::Remove { .. } => counts.removed += 1,
                // They are right, and are counted so.
                PlannedAction::LookAgain(_) => (),
                PlannedAction::Restart { .. } => counts.restarted += 1,
            }
        }
        counts
    }
}

impl fmt::Display for PlanCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanCounts { created, changed, removed, restarted, blocked, unchanged } = self;
        write!(f, "{created} to create, {changed} to change, {removed} to remove, {restarted} to restart")?;
        if *blocked > 0 {
            write!(f, ", {blocked} blocked")?;
        }
        write!(f, "; {unchanged} right already")
    }
}

/// One line that names what is done: `change file:/etc/motd`.
impl fmt::Display for PlannedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlannedAction::InstallPackages(packages) => {
                write!(f, "install")?;
                packages.iter().try_for_each(|(name, package)| write!(f, " {name}-{}", package.version))
            }
            PlannedAction::RemovePackages { names, .. } => write!(f, "remove packages {}", names.join(" ")),
            PlannedAction::Apply(resource) => match resource.body {
                ResourceBody::Exec(_) => write!(f, "run {}", resource.id),
                _ => write!(f, "apply {}", resource.id),
            },
            PlannedAction::Remove { id, .. } => write!(f, "remove {id}"),
            PlannedAction::LookAgain(resources) => {
                let paths = if resources.len() == 1 { "path" } else { "paths" };
                write!(f, "look again at {} {paths} that packages may have touched", resources.len())
            }
            PlannedAction::Restart { service, reload: false, .. } => write!(f, "restart {service}"),
            PlannedAction::Restart { service, reload: true, .. } => write!(f, "reload {service}"),
        }
    }
}

impl PlannedChange {
    /// One line that names the change: `create file:/etc/motd`.
    pub fn change_title_line(&self) -> String {
        match &self.action {
            PlannedAction::Apply(resource) if !matches!(resource.body, ResourceBody::Exec(_)) => {
                format!("{} {}", if self.creates { "create" } else { "change" }, resource.id)
            }
            action => action.to_string(),
        }
    }

    /// What differs, on one line and without contents: `mode 0644 -> 0640, content`.
    pub fn differences_on_one_line(&self) -> String {
        let properties: Vec<String> = self
            .differences
            .iter()
            .map(|difference| match (&difference.before, &difference.after) {
                (Some(ResourcePropertyValue::Content(_)), _)
                | (_, Some(ResourcePropertyValue::Content(_))) => difference.property.to_string(),
                _ if difference.secret => difference.property.to_string(),
                (None, Some(after)) if self.creates => format!("{} {after}", difference.property),
                (before, after) => {
                    format!("{} {} -> {}", difference.property, or_none(before), or_none(after))
                }
            })
            .collect();
        properties.join(", ")
    }
}

impl fmt::Display for PlannedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<&str> = self.components.iter().map(Name::as_str).collect();
        let components = components.join(", ");
        if let PlannedAction::InstallPackages(packages) = &self.action {
            writeln!(f, "install packages ({components})")?;
            for ((name, PackageToInstall { version, .. }), difference) in
                packages.iter().zip(&self.differences)
            {
                match &difference.before {
                    Some(ResourcePropertyValue::Set(lines))
                        if difference.property == ResourcePropertyKind::Files =>
                    {
                        writeln!(f, "  {name} {version} again, to make right what is not as it brought it")?;
                        write_file_lines(f, lines)?;
                    }
                    None => writeln!(f, "  {name} {version}")?,
                    Some(before) => writeln!(f, "  {name} {before} -> {version}")?,
                }
            }
            return Ok(());
        }
        match self.components.is_empty() {
            true => writeln!(f, "{}", self.change_title_line())?,
            false => writeln!(f, "{} ({components})", self.change_title_line())?,
        }
        self.differences.iter().try_for_each(|difference| write_difference(f, difference, self.creates))
    }
}

/// The lines about changed files of a package, without control characters that would act on a terminal.
fn write_file_lines(f: &mut fmt::Formatter<'_>, lines: &BTreeSet<String>) -> fmt::Result {
    for line in lines.iter().take(LINES) {
        let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        writeln!(f, "    {line}")?;
    }
    match lines.len().saturating_sub(LINES) {
        0 => Ok(()),
        more => writeln!(f, "    and {more} more"),
    }
}

fn write_difference(
    f: &mut fmt::Formatter<'_>,
    difference: &ResourcePropertyDifference,
    creates: bool,
) -> fmt::Result {
    let property = difference.property;
    if difference.secret {
        return writeln!(f, "  {property}: (secret)");
    }
    match (&difference.before, &difference.after) {
        // That a file is made a file goes without saying.
        (None, Some(_)) if property == ResourcePropertyKind::Type => Ok(()),
        (Some(before), None) if property == ResourcePropertyKind::Due => writeln!(f, "  because: {before}"),
        (_, Some(_)) if property == ResourcePropertyKind::Due => {
            writeln!(f, "  because: its guard asks for it")
        }
        (before, Some(ResourcePropertyValue::Content(after))) => {
            let before = match before {
                Some(ResourcePropertyValue::Content(before)) => before.text.as_deref(),
                Some(_) => None,
                None => Some(""),
            };
            match (before, &after.text) {
                (Some(before), Some(after)) => write_diff(f, before, after),
                _ => {
                    writeln!(
                        f,
                        "  {property}: {} -> {}",
                        or_none(&difference.before),
                        or_none(&difference.after)
                    )
                }
            }
        }
        (None, Some(after)) if creates => writeln!(f, "  {property}: {after}"),
        (before, after) => writeln!(f, "  {property}: {} -> {}", or_none(before), or_none(after)),
    }
}

/// A unified diff, indented, without control characters that would act on a terminal.
fn write_diff(f: &mut fmt::Formatter<'_>, before: &str, after: &str) -> fmt::Result {
    for line in unified_diff(before, after, 2, LINES).lines() {
        let line: String =
            line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        writeln!(f, "    {line}")?;
    }
    Ok(())
}

fn or_none(property: &Option<ResourcePropertyValue>) -> String {
    match property {
        Some(property) => property.to_string(),
        None => "(none)".to_owned(),
    }
}
