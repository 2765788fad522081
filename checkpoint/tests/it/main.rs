//! Checkpoints on memory, local disk and the simulated device.

mod background;
mod falling_back;
mod fixture;
mod journal;
mod publishing;
mod receive;
mod resume;
mod sharing;
