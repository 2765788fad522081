//! Fuzzes `report`.
#![cfg_attr(fuzzing, no_main)]
headwater_fuzz::target!(headwater_fuzz::reports::report);
