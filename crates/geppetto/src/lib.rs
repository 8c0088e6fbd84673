//! The control plane: the back-office, the repository and the API, behind one program.
//!
//! Read in this order: [`cli`] names the verbs, [`commands`] has one file for each, [`backoffice`] does what
//! they and the API ask for, [`store`] remembers it, [`api`] and [`serve`] offer it over HTTP.

pub mod api;
pub mod auth;
pub mod backoffice;
pub mod cli;
pub mod clock;
pub mod commands;
mod connections;
pub mod daemon_error;
pub mod data_folder;
pub mod output;
pub mod panic_hook;
pub mod serve;
pub mod store;
