//! The bytes: every decoder, the walk and the outline, against oracles made from what was written.

mod codecs;
mod forge;
mod golden;
mod sample;
mod summary;
mod walks;
