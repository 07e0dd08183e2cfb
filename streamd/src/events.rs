//! The kinds of event that the journal can be asked for: `journalctl MESSAGE_ID=…`.
//!
//! An id is stable for ever: one per kind of event, never used again for another. Log with
//! `info!(message_id = events::CLIENT_CONNECTED, client = id, peer = %peer, camera = name, "client connected")`.

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $id;)*
        /// Every event's name and id, for the reference and its test.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $id)),*];
    };
}

events! {
    /// The daemon is up: listeners bound, cameras started.
    READY = "5b4f0a3c1d9e4c7f8a26b1e0d3947c11";
    /// The daemon is stopping.
    STOPPING = "8e1c3d5f7a9b4e2d9c60f1a2b3c4d512";
    /// A listener is bound.
    LISTENING = "0f9e8d7c6b5a4f3e8d1c2b3a49586713";
    /// The configuration was read again.
    RELOADED = "3a7c9e1f5b2d4d8ca0e4f6081b2c3d14";
    /// The configuration could not be read again; the old one stays.
    RELOAD_FAILED = "c4d2e6f80a1b4c3d9e5f70819a2b3c15";
    /// The certificate of encrypted listeners was read again.
    CERTIFICATE_RENEWED = "3c718cf6a2aa4f28803ce95ab017d9a8";
    /// The certificate could not be read again; the old one stays.
    CERTIFICATE_REFUSED = "7c903a7ebacd407496ecd9c6e9c6628a";
    /// A client connected.
    CLIENT_CONNECTED = "71f3a5b7c9d1453f8b0e2d4c6a8f1b16";
    /// A client went away.
    CLIENT_DISCONNECTED = "92b4c6d8e0f2464a9c1f3e5d7b9a2c17";
    /// A client was refused: `max-clients` is reached.
    CLIENT_REFUSED = "a3c5d7e9f1034b5ba2d04f6e8cab3d18";
    /// A client was disconnected because it took nothing for `client-timeout`, or broke the protocol.
    CLIENT_DROPPED = "b4d6e8fa02144c6cb3e15a7f9dbc4e19";
    /// Clients of the process before this one stay connected.
    CLIENTS_KEPT = "6f926d93982c43d99e59346c8e9c53c4";
    /// A client was disconnected by an administrator.
    CLIENT_KICKED = "c5e7f90b13254d7dc4f26b80aecd5f1a";
    /// A client's rendition changed.
    RENDITION_CHANGED = "d6f80a1c24364e8ed5037c91bfde601b";
    /// A client's line of the periodic report.
    CLIENT_REPORT = "e7091b2d35474f9fe6148da2c0ef711c";
    /// The periodic report: cameras, clients, frame rate.
    REPORT = "f81a2c3e465840a0f7259eb3d1f0821d";
    /// A camera was opened.
    CAMERA_OPENED = "092b3d4f576941b10836afc4e201931e";
    /// A camera was lost, or could not be opened.
    CAMERA_LOST = "1a3c4e50687a42c21947b0d5f312a41f";
    /// A fault of a camera that came and went has not come back.
    CAMERA_STEADY = "6f8193a5bdcf47166e9c052a4867f924";
    /// A call of a driver has not returned: its thread was given up.
    THREAD_GIVEN_UP = "709204b6ced048277fad163b59780a25";
    /// A camera was switched off: nobody watches.
    CAMERA_IDLE = "2b4d5f61798b43d32a58c1e60423b520";
    /// An encoder in hardware makes a stream.
    ENCODER_OPENED = "9c18212b2b92486f9b9615fe76332be2";
    /// An encoder in hardware failed; openh264 goes on.
    ENCODER_FAILED = "7c89e5748bbf4f939d44a8fb4a247b16";
    /// A camera's sound is heard.
    SOUND_OPENED = "a0f251b3af88892132149a64033e5823";
    /// A camera's sound was lost, or could not be had.
    SOUND_LOST = "5a4f19eb03bbd6961228c7d1203e2cd2";
    /// A camera's sound was switched off: nobody listens.
    SOUND_IDLE = "92d867942118076b7c4b5886a3498bf0";
    /// An administrator changed something over the control socket.
    CONTROL_CHANGE = "3c5e60728a9c44e43b69d2f71534c621";
    /// A camera is recorded from now on, or again.
    RECORDING_STARTED = "4a1f6c8e20b94d37a5d2c7e1908b3f61";
    /// It is not recorded any more, since that was asked for or no picture comes.
    RECORDING_STOPPED = "5b206d9f31ca4e48b6e3d8f2a19c4072";
    /// What should be recorded is not: the disk does not take it.
    RECORDING_FAILED = "6c317ea042db4f59c7f4e903b2ad5183";
    /// A control connection was refused or broke the protocol.
    CONTROL_REFUSED = "4d6f71839bad45f54c7ae3082645d722";
    /// The program of the hook failed, took too long, or was left out.
    HOOK_FAILED = "8f2b6c1d4e7a49038b5d0c9e3f6a7126";
    /// A part of the video path has stopped moving; the watchdog is no longer fed.
    STUCK = "5e708294acbe46065d8bf4193756e823";
    /// No more clients are accepted for now: the process has no descriptor to spare.
    NO_DESCRIPTORS = "6f8193a5bdcf47176e9c05a4867f6c24";
    /// A part of the daemon has panicked.
    PANICKED = "7092a4b6ced048287fad16b597807d25";
    /// The connection to NATS is there.
    NATS_CONNECTED = "13d0c84be2f54f0f9a3f6b7e5c1d2a90";
    /// The connection to NATS is not there, or was lost.
    NATS_AWAY = "24e1d95cf3065a1fab407c8f6d2e3ba1";
    /// NATS or a machine there refuses something, or is not as it should be.
    NATS_TROUBLE = "35f2ea6d04176b20bc518d907e3f4cb2";
    /// So many lines about clients were left out of the log.
    LEFT_OUT = "81a3b5c7dfe1493990be27c6a8918e26";
    /// Somebody showed a token in the login form, and it is good.
    LOGGED_IN = "92b4c6d8e0f24a4aa1cf38d7b9a29f27";
    /// A token was refused.
    LOGIN_REFUSED = "a3c5d7e9f1034b5bb2d049e8cab3a028";
    /// A request over HTTP was for something that who asks may not have, or for another server.
    REQUEST_REFUSED = "f4a790f300f2b28ab131d266fbfbc1d4";
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_distinct_128_bit_numbers() {
        let mut seen = std::collections::HashSet::new();
        for (name, id) in super::ALL {
            assert!(
                id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
                "{name}: {id}"
            );
            assert!(seen.insert(id), "{name} shares its id");
        }
    }
}
