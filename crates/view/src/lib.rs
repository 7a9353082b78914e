//! The site view: the file system that a user and a job see on a rehearsed site.
//!
//! **Owns** what a view is ([`ViewPlan`], plain data that travels between processes), how one is
//! derived from a site's folders ([`ViewInputs::plan`], pure), how the calling process enters it
//! ([`ViewPlan::apply`], system calls), whether this machine allows that ([`probe`]), and the way without
//! namespaces ([`setup_paths`]).
//!
//! **Must never know** any site by name, the module system, conda, the controller or its messages. It
//! depends on `libc` alone, because the keeper links it.
//!
//! **Start reading** at [`ViewInputs`], then [`ViewPlan`], then `apply.rs`.
//!
//! # What a view is
//!
//! A private mount namespace and UTS namespace (and, for anybody but root, a user namespace that maps the
//! caller's user and group to themselves). Its root is a small read-only `tmpfs`; every entry of the
//! host's root is bound into it, except the folders that the site replaces.
//!
//! Where a site replaces nothing, a node that is not this machine's namesake still has its name ([`NodeNames`]).

mod apply;
mod codec;
mod fallback;
mod inputs;
mod layout;
mod marker;
mod names;
mod plan;
mod probe;
mod sys;

pub use codec::DecodeError;
pub use fallback::{PathLink, SetupError, setup_paths};
pub use inputs::{SiteFolder, ViewInputs};
pub use layout::*;
pub use marker::Marker;
pub use names::{Entry, NodeNames, hosts_file};
pub use plan::{Step, ViewError, ViewPlan};
pub use probe::{NO_NAMESPACES_VARIABLE, NoNamespaces, probe};
pub use sys::host_name;
