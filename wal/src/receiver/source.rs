//! Where records come from, and what can be asked of it.

use std::fmt;
use std::sync::Arc;

use super::driver::End;
use crate::error::Result;

/// A source that numbers the records of its partitions, keeps them until it is told that they are safe, and sends them
/// again if it is not told.
pub trait Acknowledge: fmt::Debug + Send + Sync {
    /// Everything below these ends is safe, and need not be sent again. A receiver's ends of a partition only go
    /// up; one that was replaced and does not know it may tell of less than its heir has: the greater end holds.
    ///
    /// An error says that the source was not told. It is told again, this or more.
    fn acknowledge(&self, ends: &[End]) -> Result<()>;
}

/// Records of a source that can resend: nothing is lost, and each is taken once.
#[derive(Clone, Debug)]
pub struct Reliable(pub(super) Arc<dyn Acknowledge>);

impl Reliable {
    /// The records of this source.
    pub fn new(source: Arc<dyn Acknowledge>) -> Self {
        Reliable(source)
    }
}

/// Records of a source that has no positions and cannot resend. What a kill costs is what was not durable yet; what was,
/// is taken at least once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unreliable;

/// What a receiver is made for: [`Reliable`] or [`Unreliable`], and nothing else.
pub trait Source: sealed::Sealed + fmt::Debug + Send + Sync + 'static {}

impl Source for Reliable {}
impl Source for Unreliable {}

pub(super) mod sealed {
    use std::sync::Arc;

    use super::{Acknowledge, Reliable, Unreliable};

    pub trait Sealed {
        /// Whom to acknowledge to.
        fn acknowledged(&self) -> Option<Arc<dyn Acknowledge>>;
    }

    impl Sealed for Reliable {
        fn acknowledged(&self) -> Option<Arc<dyn Acknowledge>> {
            Some(self.0.clone())
        }
    }

    impl Sealed for Unreliable {
        fn acknowledged(&self) -> Option<Arc<dyn Acknowledge>> {
            None
        }
    }
}
