//! The log on servers that run beside the tests: `stores/up` starts them.

mod alone;
mod away;
mod client;
mod cluster;
mod cut;
mod driver;
mod fight;
mod life;
mod medium;
mod place;
mod plain;
mod probe;
mod proxy;
mod refused;
mod speed;
