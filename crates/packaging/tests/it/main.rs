//! What `packaging` promises, judged by the real tools.

mod archetypes;
mod components;
mod openpgp;
mod packages;
mod repository;
mod sources;
mod tools;
mod updates;
