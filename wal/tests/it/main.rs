//! The integration tests of the write-ahead log, in one binary.

mod format;
