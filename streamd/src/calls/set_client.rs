//! `SetClient`: the limits that are set for a client.

use std::ops::RangeInclusive;
use std::sync::Arc;

use streamd_protocol::{
    control::{Empty, Error, SetClient},
    limits::{BadLimit, QUALITY, SIDE},
    stream::Want,
};

use crate::{
    calls::method::{Answer, Served, bad_limit, client_id, now, out_of_range, refused},
    state::State,
};

impl Served for SetClient {
    const CHANGES: bool = true;

    fn answer(self, state: &Arc<State>) -> Result<Answer, Error> {
        let id = client_id(self.id)?;
        let want = Want {
            fps: self.fps,
            quality: narrow("quality", self.quality, &QUALITY)?,
            max_width: narrow("maxWidth", self.max_width, &SIDE)?,
            paused: None,
            codec: None,
        };
        if want == Want::default() {
            let message = "one of fps, quality and maxWidth is needed";
            return Err(out_of_range("fps", message));
        }
        let changed = state.set_client(id, &want);
        changed.map_err(|no| refused(no, "id"))?;
        now(&Empty {})
    }
}

/// A number of the call in the type that limits have; the range itself is checked with the others.
fn narrow<T>(
    name: &'static str,
    value: Option<i64>,
    range: &RangeInclusive<T>,
) -> Result<Option<T>, Error>
where
    T: TryFrom<i64> + Into<f64> + Copy,
{
    let Some(value) = value else {
        return Ok(None);
    };
    let narrow = T::try_from(value).map_err(|_| {
        bad_limit(&BadLimit {
            name,
            value: value as f64,
            least: (*range.start()).into(),
            most: (*range.end()).into(),
        })
    })?;
    Ok(Some(narrow))
}
