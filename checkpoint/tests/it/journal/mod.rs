//! The journal and its states, on memory and on the simulated device.

mod driver;
mod events;
mod guarantees;
mod model;
mod random;
mod rules;
mod saved;
mod speed;
mod threads;
mod windows;
