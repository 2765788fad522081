//! Checkpoints on memory, local disk and the simulated device.

mod background;
mod driver;
mod falling_back;
mod fixture;
mod histories;
mod journal;
mod publishing;
mod resume;
mod sharing;
