//! Why a host is made what a node file says.

/// Why a host is made what a node file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RunPurpose {
    /// It is the newest, or the one that somebody gave.
    #[default]
    Deploy,
    /// It is an earlier good one.
    RollBack {
        /// What is given up: `generation 8`.
        from: String,
        /// Why.
        because: String,
    },
}
