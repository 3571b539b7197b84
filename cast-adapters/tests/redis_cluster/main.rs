//! The adapters on a real Redis Cluster: discovery of the nodes, and no command carried out twice while
//! slots are migrated, masters are replaced, and nodes are lost.

mod cluster;
mod discovery;
mod fake_nodes;
#[path = "../redis/faults.rs"]
mod faults;
#[path = "../redis/load.rs"]
mod load;
mod lost_nodes;
mod migrating_slots;
#[path = "../redis/mod.rs"]
mod redis;
