//! The control plane from outside: the real program, a real socket, real packages.

mod api;
mod backoffice;
mod cli;
mod nodes;
mod packages;
mod plane;
mod reference;
mod serving;
