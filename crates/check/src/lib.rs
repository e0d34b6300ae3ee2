//! The tools that look at files without a server.
#![forbid(unsafe_code)]
