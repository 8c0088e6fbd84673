//! The faults an estate can have, each as a sentence that names the place and the next step.

use std::fmt;

use crate::{
    estate::PlaceId,
    fault::{Fault, Severity},
    format::estate::SettingLocator,
    name::{Key, Name},
    version::{Version, VersionRange},
};

/// Why a server has no node: all faults found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveFaults {
    /// At least one.
    pub faults: Vec<EstateFault>,
}

/// One fault and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}{}", hint_suffix(.kind.correction_hint()))]
pub struct EstateFault {
    /// The place to change.
    pub place: PlaceId,
    /// The component it is about.
    pub component: Option<Name>,
    /// The parameter it is about.
    pub key: Option<Key>,
    /// What is wrong.
    pub kind: EstateFaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EstateFaultKind {
    /// A server, role, group or environment that does not exist.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// `role`, `group`, `environment` or `server`.
        what: &'static str,
        /// As written.
        name: String,
        /// The nearest that exists.
        near: Option<String>,
    },
    /// Roles that inherit each other.
    #[error("roles inherit each other in a cycle: {}; take one of these `inherits` out", format_cycle(names, *more))]
    CyclicRoles {
        /// The first of them, in order.
        names: Vec<Name>,
        /// How many follow.
        more: usize,
    },
    /// Orders of roles that contradict each other.
    #[error("its roles cannot be put in one order: {}; swap the names in one of these lists", format_order_conflicts(.0))]
    Inconsistent(Vec<(Name, Name, PlaceId)>),
    /// More inherited roles than allowed.
    #[error("it inherits more than {0} roles; split it")]
    TooManyRoles(usize),
    /// A component that no channel or not the wanted one carries.
    #[error("channel `{channel}` has no component `{component}`")]
    UnknownComponent {
        /// The component.
        component: Name,
        /// The channel of the server's environment.
        channel: Name,
        /// The nearest in the channel.
        near: Option<String>,
        /// Channels that do carry it.
        channels: Vec<Name>,
    },
    /// No version satisfies all constraints.
    #[error("no version of `{component}` in channel `{channel}` satisfies all constraints: {}; the channel has {}", format_constraints(constraints), format_versions(.available))]
    NoVersion {
        /// The component.
        component: Name,
        /// The channel of the server's environment.
        channel: Name,
        /// Who asked for what.
        constraints: Vec<(PlaceId, VersionRange)>,
        /// What the channel has, newest first.
        available: Vec<Version>,
    },
    /// A component that one place takes away and another component needs.
    #[error(
        "it removes `{component}`, but `{requirer}` requires it (`{range}`); remove `{requirer}` too or keep both"
    )]
    RemovedButRequired {
        /// What is removed.
        component: Name,
        /// What needs it.
        requirer: Name,
        /// In which versions.
        range: VersionRange,
    },
    /// Versions contradict each other in more ways than can be tried.
    #[error(
        "no versions that satisfy all constraints were found in {tried} attempts; require exact versions of some of its components{}",
        first_contradiction(first)
    )]
    TooManyChoices {
        /// How many attempts were made.
        tried: usize,
        /// The first contradiction met.
        first: Option<String>,
    },
    /// A parameter the component does not declare.
    #[error("`{component}` {version} has no parameter `{key}`")]
    UnknownParameter {
        /// The component.
        component: Name,
        /// Its version.
        version: Version,
        /// As written.
        key: Key,
        /// The nearest it declares.
        near: Option<String>,
        /// Those it declares.
        known: Vec<String>,
    },
    /// A value of the wrong type or outside what is allowed.
    #[error("`{component}.{key}` {message}")]
    WrongValue {
        /// The component.
        component: Name,
        /// The parameter.
        key: Key,
        /// `must be ...`
        message: String,
    },
    /// A required value that is not set.
    #[error(
        "`{component}.{key}` ({description}) must have a value and none is set; add it under `values: {{{component}: {{{key}: ...}}}}` here or in a role, group or environment of this server"
    )]
    Missing {
        /// The component.
        component: Name,
        /// The parameter.
        key: Key,
        /// What it is for.
        description: String,
    },
    /// Values that refer to each other.
    #[error("values refer to each other in a cycle: {}; write one of them out", format_cycle(.0, 0))]
    CyclicReferences(Vec<String>),
    /// A reference to what the server does not have.
    #[error("`{component}.{key}` refers to `${{{reference}}}`, {reason}")]
    UnknownReference {
        /// The component.
        component: Name,
        /// The parameter.
        key: Key,
        /// What is inside `${}`.
        reference: String,
        /// `but this server has no component ...`
        reason: String,
        /// The nearest reference that works.
        near: Option<String>,
    },
    /// More than a node file should hold.
    #[error("{what} add up to more than {limit} bytes; put large data into a component's files")]
    TooLarge {
        /// `the values of this server`
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// A node file that punch would not read.
    #[error("its node file could not be read again ({0}); put large data into a component's files")]
    Unreadable(String),
}

impl EstateFaultKind {
    /// What to do next, where the message does not say so.
    pub fn correction_hint(&self) -> Option<String> {
        match self {
            EstateFaultKind::Unknown { near, .. } | EstateFaultKind::UnknownReference { near, .. } => {
                nearest_name_hint(near, &[])
            }
            EstateFaultKind::UnknownParameter { near, known, .. } => nearest_name_hint(near, known),
            EstateFaultKind::UnknownComponent { near, channels, .. } => {
                Some(other_channels_hint(near, channels))
            }
            _ => None,
        }
    }
}

/// A fault or warning about an estate before it is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstateFaultOrWarning {
    /// How much it matters.
    pub severity: Severity,
    /// The place to change.
    pub place: PlaceId,
    /// The component it is about.
    pub component: Option<Name>,
    /// The parameter it is about.
    pub key: Option<Key>,
    /// What is wrong.
    pub message: String,
    /// What to do next, where the message does not say so.
    pub hint: Option<String>,
    /// The name in one of the place's lists it is about, to find its line.
    pub(super) list_entry: Option<String>,
}

impl EstateFault {
    pub(super) fn new(place: PlaceId, kind: EstateFaultKind) -> Self {
        Self { place, component: None, key: None, kind }
    }

    pub(super) fn with_component(mut self, component: &Name) -> Self {
        self.component = Some(component.clone());
        self
    }

    pub(super) fn with_key(mut self, component: &Name, key: &Key) -> Self {
        self.component = Some(component.clone());
        self.key = Some(key.clone());
        self
    }

    /// The fault with the file, line and column to correct, for estates that come from documents.
    pub fn to_located_fault(&self, locator: &mut SettingLocator<'_>) -> Fault {
        self.clone().into_fault_or_warning().to_located_fault(locator)
    }

    pub(super) fn into_fault_or_warning(self) -> EstateFaultOrWarning {
        let list_entry = match &self.kind {
            EstateFaultKind::Unknown { name, .. } => Some(name.clone()),
            EstateFaultKind::RemovedButRequired { component, .. } => Some(component.to_string()),
            _ => None,
        };
        EstateFaultOrWarning {
            severity: Severity::Error,
            message: self.kind.to_string(),
            hint: self.kind.correction_hint(),
            list_entry,
            place: self.place,
            component: self.component,
            key: self.key,
        }
    }
}

impl EstateFaultOrWarning {
    /// The note with the file, line and column to correct, for estates that come from documents.
    pub fn to_located_fault(&self, locator: &mut SettingLocator<'_>) -> Fault {
        let component = self.component.as_ref().map(Name::as_str);
        let key = self.key.as_ref().map(Key::as_str);
        let found = locator.locate_setting(&self.place, component, key, self.list_entry.as_deref());
        let (file, location) = found.map_or((None, None), |(file, location)| (Some(file), location));
        Fault {
            severity: self.severity,
            place: Some(self.place.clone()),
            component: self.component.clone(),
            key: self.key.clone(),
            file,
            line: location.map(|(line, _)| line),
            column: location.map(|(_, column)| column),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl fmt::Display for EstateFaultOrWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.place, self.message, hint_suffix(self.hint.clone()))
    }
}

impl std::error::Error for ResolveFaults {}

impl ResolveFaults {
    /// The first fault as a sentence.
    pub fn first_fault_message(&self) -> String {
        self.faults.first().map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for ResolveFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl From<EstateFault> for ResolveFaults {
    fn from(fault: EstateFault) -> Self {
        Self { faults: vec![fault] }
    }
}
impl From<Box<EstateFault>> for ResolveFaults {
    fn from(fault: Box<EstateFault>) -> Self {
        Self { faults: vec![*fault] }
    }
}
impl From<Vec<EstateFault>> for ResolveFaults {
    fn from(faults: Vec<EstateFault>) -> Self {
        Self { faults }
    }
}

fn nearest_name_hint(near: &Option<String>, known: &[String]) -> Option<String> {
    match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("it has {}", known.join(", "))),
    }
}

fn other_channels_hint(near: &Option<String>, channels: &[Name]) -> String {
    if channels.is_empty() {
        return match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "no other channel has it: publish it first".to_owned(),
        };
    }
    let channels: Vec<String> = channels.iter().map(|channel| format!("`{channel}`")).collect();
    format!("it is in {}, so promote it first", channels.join(", "))
}

/// A hint behind a message, as one line.
fn hint_suffix(hint: Option<String>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn first_contradiction(first: &Option<String>) -> String {
    first.as_ref().map(|first| format!(". The first contradiction met: {first}")).unwrap_or_default()
}

fn format_cycle<T: fmt::Display>(names: &[T], more: usize) -> String {
    let mut texts: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let first = texts.first().cloned();
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    texts.extend(first);
    texts.join(" -> ")
}

fn format_order_conflicts(orders: &[(Name, Name, PlaceId)]) -> String {
    let texts: Vec<String> = orders
        .iter()
        .map(|(before, after, place)| format!("`{before}` before `{after}` ({place})"))
        .collect();
    texts.join(", ")
}

fn format_constraints(constraints: &[(PlaceId, VersionRange)]) -> String {
    let texts: Vec<String> = constraints
        .iter()
        .map(|(place, range)| match place {
            PlaceId::Default(requirer) => format!("{requirer} requires `{range}`"),
            place => format!("{place} requires `{range}`"),
        })
        .collect();
    texts.join(", ")
}

fn format_versions(available: &[Version]) -> String {
    match available {
        [] => "none".to_owned(),
        available => {
            let shown: Vec<String> = available.iter().take(8).map(Version::to_string).collect();
            let more = available.len() - shown.len();
            let more = if more > 0 { format!(" and {more} older") } else { String::new() };
            format!("{}{more}", shown.join(", "))
        }
    }
}
