//! The tests of the model, one module a subject.

mod formats;
mod random;
