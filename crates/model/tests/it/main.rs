//! The tests of the model, one module a subject.

mod cases;
mod formats;
mod random;
