//! The adapters in a real Redis Cluster: found by any of its nodes, with no call done twice while
//! slots are handed over, masters are replaced, and nodes are gone.

#[path = "../redis/breaking.rs"]
mod breaking;
mod cluster;
mod finding;
mod handing;
#[path = "../redis/load.rs"]
mod load;
mod losing;
mod made_up;
#[path = "../redis/mod.rs"]
mod redis;
