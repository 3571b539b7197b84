//! A data folder on a disk that loses power, fails, is full, or lies.
//!
//! `CAST_TEST_DISK_CALLS=all` meets every call of the disk with each fault; without it, some are drawn.

mod errors;
mod power;
mod work;
