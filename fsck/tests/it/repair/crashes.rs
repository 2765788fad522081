//! A crash at every step of a repair.
