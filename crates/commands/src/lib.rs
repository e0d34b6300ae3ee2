//! Every command of the server, declared once, and what derives from the declarations.
//!
//! A command (or a subcommand such as `client|list`) is one [`CommandSpec`] literal in
//! `table/<group>.rs`. [`CommandId`] names them all; a constant evaluated by the compiler binds
//! each id to its literal, so an id without a declaration, or one declared twice, does not compile.
//! From the tables derive the lookup by name, the key positions, the legacy key range, the
//! movable-keys flag, and (in other crates) COMMAND's replies, ACL bits, routing and hints.
//!
//! Deliberately unknown here: handlers, clients, values, errors sent to a client.
//!
//! To add a command: a variant in `id.rs`, a literal in its group's table, a handler in the engine.
//! Tests: beside each module; the rules that all tables obey are in `table/hygiene.rs`.
#![forbid(unsafe_code)]

mod arg;
mod bits;
mod id;
mod key_spec;
mod keys;
mod lookup;
mod reply;
mod spec;
mod table;

pub use arg::{Arg, ArgFlags, ArgType};
pub use id::CommandId;
pub use key_spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, LegacyRange};
pub use keys::{KeyRef, KeyScope, KeysError, first_key, has_keys, keys_of, visit_keys};
pub use lookup::{lookup, lookup_full, lookup_sub};
pub use reply::ReplyShape;
pub use spec::{AclCategories, CommandSpec, Deprecation, DocFlags, Flags, Group};
pub use table::commands;
