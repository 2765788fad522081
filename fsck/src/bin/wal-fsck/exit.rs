//! How the program ends: bits, as fsck(8) has them.

use std::ops::BitOr;

use headwater_wal::Kind;

use crate::failure::Failure;

/// The exit code of a command line that is wrong.
pub(crate) const USAGE: u8 = 16;

/// What the codes mean, for people.
pub(crate) const CODES: &str = "\
Exit codes, of which several can come at once as their sum:
  0   nothing is damaged (a torn tail after a crash is no damage)
  1   something was wrong, and was mended
  4   something is wrong, and was left as it is
  8   something could not be checked or done; of `probe`: the place is not fit for a log
  16  the command line is wrong
  32  it was interrupted by a signal";

/// Exit codes summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const CLEAN: Exit = Exit(0);
    pub(crate) const MENDED: Exit = Exit(1);
    pub(crate) const LEFT: Exit = Exit(4);
    pub(crate) const FAILED: Exit = Exit(8);
    pub(crate) const INTERRUPTED: Exit = Exit(32);

    pub(crate) fn of(failure: &Failure) -> Exit {
        match failure {
            Failure::Usage(_) => Exit(USAGE),
            Failure::Log(error) if error.kind() == Kind::Damaged => Exit::LEFT,
            Failure::Log(_) | Failure::Output(_) => Exit::FAILED,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self.0
    }
}

impl BitOr for Exit {
    type Output = Exit;

    fn bitor(self, other: Exit) -> Exit {
        Exit(self.0 | other.0)
    }
}
