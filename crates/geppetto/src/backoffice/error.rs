//! Why the back-office refuses: one enum, which the API turns into problem details.

use model::{
    exit::Exit,
    fault::{self, Fault},
};

use crate::{
    auth::AccessDenied,
    command_error::{DISK_FULL_HINT, GeppettoCommandError, join_error_and_sources},
    store::StoreError,
};

/// Why the back-office did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackOfficeError {
    /// An unknown name.
    #[error("{}", unknown_name_message(.what, .name, .nearest.as_deref(), .list))]
    Unknown {
        /// `server`
        what: &'static str,
        /// What was asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
        /// How to see the right names.
        list: &'static str,
    },
    /// The principal lacks a grant.
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    /// What was asked for is not there.
    #[error("{0}")]
    Absent(String),
    /// The input was refused; the text gives all reasons.
    #[error("{0}")]
    Refused(String),
    /// The documents of a change have faults; nothing was changed.
    #[error("nothing was changed, because of:{}", fault::format_fault_list(.0))]
    Invalid(Vec<Fault>),
    /// The node file of a server cannot be made.
    #[error("the node file of {server} cannot be made from revision {revision}:{}", fault::format_fault_list(.faults))]
    Unresolvable {
        /// The server.
        server: String,
        /// The revision it was resolved from.
        revision: u64,
        /// Why.
        faults: Vec<Fault>,
    },
    /// The disk of the control plane is full; nothing was changed.
    #[error("the disk of the control plane is full: {0}")]
    DiskFull(String),
    /// What was given contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// What was given is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A check found damage; the text says how much and what to do.
    #[error("{0}")]
    Damaged(String),
    /// Something here is broken: a file, a key, a disk.
    #[error("{0}")]
    Broken(String),
}

fn unknown_name_message(what: &str, name: &str, nearest: Option<&str>, list: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    match nearest {
        Some(nearest) => format!("there is no {what} `{name}`; did you mean `{nearest}`?"),
        None => format!("there is no {what} `{name}`; {list}"),
    }
}

impl BackOfficeError {
    /// Whether the control plane itself failed, so that trying again later may help.
    pub(crate) fn is_internal_failure(&self) -> bool {
        matches!(self, BackOfficeError::Store(_) | BackOfficeError::Broken(_) | BackOfficeError::DiskFull(_))
    }

    /// An unknown name, with the nearest of `names`.
    pub(crate) fn unknown_name_error<'a>(
        what: &'static str,
        name: &str,
        names: impl IntoIterator<Item = &'a str>,
        list: &'static str,
    ) -> Self {
        let nearest = model::suggest_spelling(name, names).map(str::to_owned);
        BackOfficeError::Unknown { what, name: name.to_owned(), nearest, list }
    }
}

impl From<BackOfficeError> for GeppettoCommandError {
    fn from(error: BackOfficeError) -> Self {
        match error {
            BackOfficeError::Unknown { .. }
            | BackOfficeError::Absent(_)
            | BackOfficeError::Denied(_)
            | BackOfficeError::Refused(_)
            | BackOfficeError::Invalid(_)
            | BackOfficeError::Unresolvable { .. }
            | BackOfficeError::Conflict(_)
            | BackOfficeError::TooLarge(_) => GeppettoCommandError::invalid_input_error(error.to_string()),
            BackOfficeError::Store(error) => error.into(),
            BackOfficeError::DiskFull(_) => {
                GeppettoCommandError::operation_failed_error(error.to_string()).with_hint(DISK_FULL_HINT)
            }
            BackOfficeError::Broken(_) | BackOfficeError::Damaged(_) => {
                GeppettoCommandError::operation_failed_error(error.to_string())
            }
        }
    }
}

impl From<StoreError> for GeppettoCommandError {
    fn from(error: StoreError) -> Self {
        let message = join_error_and_sources(&error);
        match error {
            error if error.is_disk_full() => {
                GeppettoCommandError::operation_failed_error(message).with_hint(DISK_FULL_HINT)
            }
            StoreError::Overtaken { .. } => GeppettoCommandError::invalid_input_error(message)
                .with_hint("look at what changed (`punch export DIR`) and do it again from there"),
            StoreError::NameTaken(_) => {
                GeppettoCommandError::invalid_input_error(message).with_hint("choose another name, or `punch token revoke NAME` first")
            }
            StoreError::WrongKey(_) => GeppettoCommandError::invalid_input_error(message)
                .with_hint("put `keys/store.key` back as it was when the database was made: a backup of the data folder has it, and so has the data folder of every other control plane on this database"),
            StoreError::WrongNodeKey(_) => GeppettoCommandError::invalid_input_error(message)
                .with_hint("every control plane on one database has the same `keys` folder: copy it from the first one's data folder"),
            StoreError::Unsealed(_) => GeppettoCommandError::invalid_input_error(message)
                .with_hint("recover both from one backup: `geppetto recover`"),
            StoreError::NewerTables { .. } => GeppettoCommandError::invalid_input_error(message).with_hint(
                "install that version or a newer one; to stay with this one, recover the backup made before the upgrade \
                 (`geppetto recover`)",
            ),
            StoreError::Open { ref database, .. } if database.starts_with("postgres") => {
                GeppettoCommandError::invalid_input_error(message).with_hint(
                    "check that PostgreSQL runs and listens there, and that the database of the URL exists and lets this user in",
                )
            }
            StoreError::Open { .. } => GeppettoCommandError { exit: Exit::Input, message, hint: None }.with_hint(
                "check that this user may read and write the data folder and that its disk has room, or that the \
                 database of the URL exists, answers and lets this user in",
            ),
            StoreError::OlderTables(_) => GeppettoCommandError::invalid_input_error(message).with_hint(
                "make the backup with the version that served it last; or start this version first, which brings the tables up to \
                 date for good",
            ),
            StoreError::NeverUsed(_) => GeppettoCommandError::invalid_input_error(message)
                .with_hint("check --data, and --database or GEPPETTO_DATABASE: they are those that `geppetto serve` has"),
            StoreError::NotEmpty(_) => GeppettoCommandError::invalid_input_error(message)
                .with_hint("make a new database (`createdb`), and name it with --database"),
            _ => GeppettoCommandError::operation_failed_error(message),
        }
    }
}
