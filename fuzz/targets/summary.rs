//! Fuzzes `summary`.
#![cfg_attr(fuzzing, no_main)]
headwater_fuzz::target!(headwater_fuzz::codecs::summary);
