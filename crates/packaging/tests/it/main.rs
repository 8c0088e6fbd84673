//! What `packaging` promises, judged by the real tools.

mod openpgp;
mod tools;
