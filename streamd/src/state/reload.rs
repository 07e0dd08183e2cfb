//! A new configuration takes the place of the old one, as far as that goes without a restart.

use super::{Refused, State, controls, without_cameras};
use crate::{
    access::exposure,
    config::{self, Config},
    events,
    news::{self, Event, EventKind},
};

/// What whoever listens is told of a reload.
fn told(result: &Result<Reloaded, Refused>) -> Event {
    match result {
        Ok(Reloaded {
            applied,
            needs_restart,
        }) => {
            let restart = match needs_restart.len() {
                0 => String::new(),
                n => format!(", {n} need a restart"),
            };
            let text = format!("configuration reloaded: {} changed{restart}", applied.len());
            Event {
                applied: applied.clone(),
                needs_restart: needs_restart.clone(),
                ..news::event(EventKind::Reloaded, text)
            }
        }
        Err(error) => {
            let reason = error.to_string();
            let first = reason.lines().next().unwrap_or_default();
            let text = format!("configuration not reloaded: {first}");
            Event {
                reason: reason.clone(),
                ..news::event(EventKind::ReloadFailed, text)
            }
        }
    }
}

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys applied at once, for instance `camera.main.quality`.
    pub applied: Vec<String>,
    /// Keys that changed in the file but need a restart.
    pub needs_restart: Vec<String>,
}

impl State {
    /// Reads the configuration file again, and logs what came of it.
    ///
    /// # Errors
    /// When the file can't be used: the old configuration stays.
    pub fn reload(&self) -> Result<Reloaded, Refused> {
        let result = config::load(self.path.as_deref())
            .map_err(|error| Refused::BadConfiguration(error.to_string()))
            .and_then(|new| self.apply(new));
        match &result {
            Ok(reloaded) => {
                let list = |keys: &[String]| match keys {
                    [] => "nothing".to_owned(),
                    keys => keys.join(", "),
                };
                tracing::info!(
                    message_id = events::RELOADED,
                    "configuration reloaded: {} changed; {} needs a restart",
                    list(&reloaded.applied),
                    list(&reloaded.needs_restart)
                );
            }
            Err(error) => tracing::error!(
                message_id = events::RELOAD_FAILED,
                "configuration not reloaded, the old one stays: {error}"
            ),
        }
        self.viewers.news.tell(told(&result));
        result
    }

    /// Takes a certificate that has changed. One that is not good is said so, and the old one stays.
    pub fn renew_certificate(&self) {
        match self.tls.as_ref().map(|tls| tls.reload()) {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => tracing::info!(
                message_id = events::CERTIFICATE_RENEWED,
                "the certificate was read again"
            ),
            Some(Err(error)) => tracing::error!(
                message_id = events::CERTIFICATE_REFUSED,
                "the certificate was not read again, the old one stays: {error}"
            ),
        }
    }

    /// Puts in force what can be of a new configuration.
    fn apply(&self, new: Config) -> Result<Reloaded, Refused> {
        if let Some(lacking) = new.lacking() {
            return Err(Refused::BadConfiguration(lacking));
        }
        let old = self.configuration();
        if new.access.anonymous.is_none()
            && new.access.user_header.is_none()
            && !self.viewers.rules.have_tokens()
        {
            let exposed = exposure::check(&new);
            exposed.map_err(|exposed| Refused::BadConfiguration(exposed.to_string()))?;
        }
        let (config, changes) = config::reloaded(&old, &new);
        let rules = self.viewers.rules.change(&config.access);
        rules.map_err(|bad| Refused::BadConfiguration(bad.to_string()))?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        if old.log.level != config.log.level {
            self.log
                .set(&config.log.level)
                .map_err(Refused::BadConfiguration)?;
        }
        self.renew_certificate();
        self.viewers.change(&config.clients);
        self.viewers.look_over();
        for camera in self.cameras.iter() {
            if let Some((_, new)) = config
                .camera
                .iter()
                .find(|(n, _)| n.as_str() == camera.name)
            {
                let controls = camera.settings().config.controls.clone();
                camera.change(|settings| settings.clone_from(new));
                if new.controls != controls {
                    controls::set_configured(camera);
                }
            }
        }
        *self.general.lock() = without_cameras(config);
        self.recorders.look_over();
        Ok(Reloaded {
            applied: changes.live.iter().map(ToString::to_string).collect(),
            needs_restart: changes.needs_restart,
        })
    }
}
