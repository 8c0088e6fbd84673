//! Reports panics in one form, and limits what a panic ends.

use model::exit::Exit;

use crate::output;

/// What comes after a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PanicReaction {
    /// The program ends: it does one thing, and that did not work.
    End,
    /// The task ends and the program goes on: other requests have nothing to do with it.
    GoOn,
}

/// Installs a panic hook that prints panics in one form.
pub(crate) fn install_bug_report_panic_hook(then: PanicReaction) {
    std::panic::set_hook(Box::new(move |panic| {
        output::print_note(&format!(
            "error: this is a bug of geppetto: {panic}\nhint: please report it with this text"
        ));
        if then == PanicReaction::End {
            std::process::exit(i32::from(Exit::Bug as u8));
        }
    }));
}
