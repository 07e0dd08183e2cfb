//! `streamd-bench fleet --plan`: what a large fleet takes, by what was measured of a small one.

use crate::table::Table;

/// What one stream costs; where the figures are from is in docs/design/fleet.md.
#[derive(Debug, Clone, Copy)]
struct Costs {
    /// Megabits a second.
    rate: f64,
    /// Percent of a core for each viewer, at a relay.
    viewer: f64,
    /// The same for each camera that is watched there, taken over and made ready.
    camera: f64,
}

/// Film of 640x480 at 30 fps, 50 kB a picture.
const JPEG: Costs = Costs {
    rate: 12.0,
    viewer: 0.06,
    camera: 1.8,
};

/// Pictures for a wall of many: 320x240 at 10 fps, 5 kB each; a viewer costs by the picture.
const WALL: Costs = Costs {
    rate: 0.4,
    viewer: 0.02,
    camera: 0.6,
};

/// H.264 of the same film, by WebRTC: decoded and encoded once for each camera that is watched.
const H264: Costs = Costs {
    rate: 2.0,
    viewer: 0.29,
    camera: 8.5,
};

/// The server of NATS: percent of a core for a picture's way in and out to one relay, at 30 fps, and
/// for each further relay.
const ENGINE: (f64, f64) = (1.7, 0.19);

/// Megabits a second of a relay's network, and how much of that is to be used.
const NETWORK: f64 = 10_000.0 * 0.7;

/// Cores of a relay, and how much of them is to be used.
const CORES: f64 = 8.0 * 0.7;

/// Cameras that one relay takes over at most: each is a thread.
const CAMERAS: f64 = 200.0;

/// What one region has at most, relays and cores of its server; above that there is another region.
const REGION: (f64, f64) = (20.0, 4.0);

/// Bytes a second that a camera costs which nobody watches, as the benchmark measures it.
const IDLE: f64 = 230.0;

/// What there is to be.
struct Case {
    name: &'static str,
    cameras: f64,
    /// Of those, how many somebody watches.
    watched: f64,
    viewers: f64,
    /// What goes up from the host, and what viewers get.
    up: Costs,
    down: Costs,
}

/// What it takes.
#[derive(Debug, PartialEq)]
struct Needs {
    /// Into the servers, and out of the relays, in Gb/s.
    into: f64,
    out: f64,
    engine_cores: f64,
    relays: f64,
    relay_cores: f64,
    regions: f64,
    /// What decides how many relays there are.
    bound: &'static str,
}

impl Case {
    fn needs(&self) -> Needs {
        let idle = self.cameras * IDLE * 8.0 / 1e9;
        let into = self.watched * self.up.rate / 1000.0 + idle;
        let out = self.viewers * self.down.rate / 1000.0;
        let cpu = self.viewers * self.down.viewer + self.watched * self.down.camera;
        let relay_cores = cpu / 100.0;
        let bounds = [
            (out * 1000.0 / NETWORK, "network"),
            (relay_cores / CORES, "cores"),
            (self.cameras / CAMERAS, "cameras"),
        ];
        let (most, bound) = bounds
            .into_iter()
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or_default();
        let relays = most.ceil().max(1.0);
        // Viewers are spread evenly: who watches a camera is at as many relays as those fill.
        let each = (relays / self.cameras.max(1.0)).ceil();
        let (first, further) = ENGINE;
        // A picture costs what it costs, nearly whatever its size.
        let part = self.up.viewer / JPEG.viewer;
        let engine_cores = self.watched * part * (first + (each - 1.0) * further) / 100.0;
        Needs {
            into,
            out,
            engine_cores,
            relays,
            // Each of those takes the camera over, and makes it ready, for itself.
            relay_cores: relay_cores + self.watched * (each - 1.0) * self.down.camera / 100.0,
            regions: (relays / REGION.0).max(engine_cores / REGION.1).ceil(),
            bound,
        }
    }
}

fn cases() -> Vec<Case> {
    let case = |name, (cameras, watched), viewers, up, down| Case {
        name,
        cameras,
        watched,
        viewers,
        up,
        down,
    };
    let all = (1e4, 1e4);
    vec![
        case("10⁴ cameras, nobody watches", (1e4, 0.0), 0.0, JPEG, JPEG),
        case(
            "10⁴ cameras, one in a hundred is watched, by 2",
            (1e4, 100.0),
            200.0,
            JPEG,
            JPEG,
        ),
        case("10⁴ cameras, all on walls, by 1", all, 1e4, WALL, WALL),
        case(
            "10⁴ cameras, each watched or recorded by 1",
            all,
            1e4,
            JPEG,
            JPEG,
        ),
        case("1 camera, 10³ viewers, JPEG", (1.0, 1.0), 1e3, JPEG, JPEG),
        case("1 camera, 10⁴ viewers, JPEG", (1.0, 1.0), 1e4, JPEG, JPEG),
        case("1 camera, 10⁴ viewers, H.264", (1.0, 1.0), 1e4, JPEG, H264),
        case("10⁴ cameras, 10⁶ viewers, JPEG", all, 1e6, JPEG, JPEG),
        case("10⁴ cameras, 10⁶ viewers, H.264", all, 1e6, JPEG, H264),
    ]
}

/// Prints what each case takes.
pub fn print() {
    let mut table = Table::new(&[
        "case",
        "into the servers Gb/s",
        "server cores",
        "out to viewers Gb/s",
        "relay cores",
        "relays, by",
        "regions",
    ]);
    for case in cases() {
        let needs = case.needs();
        table.row(vec![
            case.name.into(),
            amount(needs.into),
            amount(needs.engine_cores),
            amount(needs.out),
            amount(needs.relay_cores),
            format!("{}, {}", needs.relays, needs.bound),
            needs.regions.to_string(),
        ]);
    }
    print!("{table}");
}

/// Two figures are all that such a calculation knows.
fn amount(value: f64) -> String {
    match value {
        value if value >= 10.0 => format!("{value:.0}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(name: &str) -> Needs {
        let case = cases().into_iter().find(|case| case.name == name);
        case.unwrap().needs()
    }

    #[test]
    fn jpeg_for_ten_thousand_is_a_matter_of_the_network() {
        let needs = needs("1 camera, 10⁴ viewers, JPEG");
        assert_eq!(
            (needs.out, needs.bound, needs.relays),
            (120.0, "network", 18.0)
        );
        // They are all fed by one server, which notices little of it.
        assert!(
            needs.engine_cores < 0.1 && needs.regions == 1.0,
            "{needs:?}"
        );
    }

    #[test]
    fn h264_moves_the_bound_from_the_network_to_the_cores() {
        let (jpeg, h264) = (
            needs("10⁴ cameras, 10⁶ viewers, JPEG"),
            needs("10⁴ cameras, 10⁶ viewers, H.264"),
        );
        assert_eq!((jpeg.bound, h264.bound), ("network", "cores"));
        assert!(h264.relays < jpeg.relays && h264.out == jpeg.out / 6.0);
    }
}
