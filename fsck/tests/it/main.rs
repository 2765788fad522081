//! Tests of the checks and of `wal-inspect`, on real logs that were damaged in named ways.
