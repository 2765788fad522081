//! Checkpoints on memory, local disk and the simulated device.

mod background;
mod bucket;
mod driver;
mod every_byte;
mod falling_back;
mod fixture;
mod golden;
mod histories;
mod journal;
mod publishing;
mod receive;
mod resume;
mod sharing;
mod simulation;
mod sink;
