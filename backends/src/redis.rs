//! The desk and the holds on Redis Cluster.
