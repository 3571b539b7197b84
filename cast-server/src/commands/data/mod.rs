//! The commands on the folder of one machine.

mod check;
mod copy;
mod export;
mod progress;
mod transfer;

pub(super) use self::{
    check::check,
    copy::{backup, restore},
    export::export,
    transfer::transfer,
};
