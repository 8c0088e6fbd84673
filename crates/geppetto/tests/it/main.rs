//! The control plane from outside: the real program, a real socket, real packages.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod api;
mod backoffice;
mod backup;
mod cli;
mod control_plane;
mod effects;
mod first_start;
mod full_disk;
mod interrupted;
mod jobs;
mod nodes;
mod packages;
mod pages;
mod postgres_cluster;
mod puppet;
mod reference;
mod refused_changes;
mod serving;
mod two_control_planes;
mod yum;

#[path = "../../../../tests/skip.rs"]
mod skip;
