//! What the ports on SQL databases share.

pub(crate) mod books;
pub(crate) mod stored;
