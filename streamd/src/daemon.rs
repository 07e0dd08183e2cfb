//! Starts and stops everything.
