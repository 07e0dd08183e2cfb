//! The real daemon and streamctl, end to end: what a client, an administrator and a service manager
//! see of them.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod access;
mod adaptation;
mod administration;
mod controls;
mod crowds;
mod devices;
mod doctor;
mod encoder;
mod encrypted;
mod events;
mod faults;
mod feeds;
mod fleet;
mod limits;
mod misbehaviour;
mod own_stream;
mod pictures;
mod proxies;
mod recording;
mod reloading;
mod restarting;
mod rtsp;
mod sound;
mod starting;
mod streamctl;
mod streams;
mod supervision;
mod talking;
mod web;
mod whep;
