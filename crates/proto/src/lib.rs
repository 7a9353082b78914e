//! What clients and the controller say to each other, how it is framed, and where the controller is found.
//!
//! Owns the wire: [`message`] is the vocabulary, [`frame`] the bytes, [`place`] the folders and sockets of a
//! cluster, [`client`] one blocking connection. Must never know how an answer is found (that is the controller's) or how
//! it is printed (the clients'). A reader starts at [`message::Request`].

pub mod client;
pub mod frame;
pub mod message;
pub mod place;
pub mod step;
