//! Punch from outside: the program is run, what it prints and how it ends is checked.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod apply;
mod archetypes;
mod back_office;
mod broken_connection;
mod canned;
mod cli;
mod components;
mod control_plane;
mod documentation;
mod estate;
mod histories;
mod hold;
mod host_repairs;
mod interrupted_runs;
mod interruption;
mod json;
mod json_reference;
mod keys;
mod login;
mod messages;
mod mounted_file_system;
mod ordinary_user;
mod packaging;
mod partly;
mod payload;
mod reference;
mod references;
mod repository;
mod restore;
mod rollback;
mod settings;
mod terminal;
mod test_folder;
mod tls;
mod trust;

#[path = "../../../../tests/documentation_page.rs"]
mod documentation_page;
#[path = "../../../../tests/skip.rs"]
mod skip;
