//! Fuzzes `damages`.
#![cfg_attr(fuzzing, no_main)]
headwater_fuzz::target!(headwater_fuzz::damages::sequence);
