//! Resolution: roles, groups, environment and server become one node.
