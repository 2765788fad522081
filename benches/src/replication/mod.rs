//! Received blocks made safe by copies, by a log, or by both, beside one another: what each makes of a stream, what it
//! costs, and what each loses.

pub mod line;
