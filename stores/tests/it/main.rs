//! The log on servers that run beside the tests: `stores/up` starts them.

mod client;
mod proxy;
