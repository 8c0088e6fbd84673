//! Punch from outside: the program is run, what it prints and how it ends is checked.

mod backoffice;
mod canned;
mod cli;
mod keys;
mod world;
