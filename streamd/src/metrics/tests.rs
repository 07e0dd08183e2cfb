//! What a scrape says, and that it is OpenMetrics.

use std::time::Duration;

use super::*;
use crate::fixtures;

#[tokio::main(flavor = "current_thread")]
async fn scrape() -> String {
    let state = fixtures::state("[camera.front]\n[camera.side]\nlisten = []\n");
    let camera = state.cameras.find(None).unwrap();
    camera.captured.captured.add(1000);
    camera.sent.add(900);
    camera.bytes.add(45_000_000);
    camera.dropped.slow_link.add(7);
    for micros in [700, 800, 3000, 900_000] {
        camera.encode_time.add(Duration::from_micros(micros));
    }
    text(Scrape {
        stats: fixtures::stats(),
        cameras: Arc::clone(&state.cameras),
        wrong_tokens: 6,
        too_often: [8, 9],
        broken_rtsp: 5,
        strays: 6,
    })
}

#[test]
fn every_family_is_there() {
    let text = scrape();
    for line in [
        "streamd_build_info{version=\"1.2.3\"} 1",
        "streamd_uptime_seconds 12.5",
        "streamd_healthy 1",
        "streamd_camera_state{camera=\"side\",state=\"lost\"} 1",
        "streamd_camera_state{camera=\"side\",state=\"idle\"} 0",
        "streamd_camera_device_losses_total{camera=\"front\"} 3",
        "streamd_camera_encoder_faults_total{camera=\"front\"} 4",
        "streamd_camera_frame_rate_hertz{camera=\"front\"} 29.6",
        "streamd_camera_sound_state{camera=\"front\",state=\"streaming\"} 1",
        "streamd_camera_sound_listeners{camera=\"front\"} 2",
        "streamd_camera_sound_packets_total{camera=\"front\"} 1000",
        "streamd_camera_sound_packets_dropped_total{camera=\"front\"} 4",
        "streamd_camera_sound_overruns_total{camera=\"front\"} 5",
        "streamd_camera_sound_device_losses_total{camera=\"front\"} 6",
        "streamd_camera_sound_level_dbfs{camera=\"front\"} -23.5",
        "streamd_frames_total{camera=\"front\",stage=\"captured\"} 1000",
        "streamd_frames_total{camera=\"front\",stage=\"encoded\"} 4",
        "streamd_frames_total{camera=\"front\",stage=\"sent\"} 900",
        "streamd_encode_time_seconds_bucket{le=\"0.001\",camera=\"front\"} 2",
        "streamd_encode_time_seconds_bucket{le=\"+Inf\",camera=\"front\"} 4",
        "streamd_encode_time_seconds_count{camera=\"front\"} 4",
        "streamd_clients{camera=\"front\",transport=\"mjpeg\"} 1",
        "streamd_clients{camera=\"side\",transport=\"tcp\"} 0",
        "streamd_clients_refused_total{camera=\"front\"} 0",
        "streamd_clients_dropped_total{camera=\"front\"} 0",
        "streamd_tokens_refused_total 6",
        "streamd_handshakes_refused_total 8",
        "streamd_calls_refused_total 9",
        "streamd_rtsp_broken_total 5",
        "streamd_webrtc_strays_total 6",
        "streamd_nats_connected 1",
        "streamd_nats_dropped_total{reason=\"stale\"} 6",
        "streamd_rendition_clients{camera=\"front\",quality=\"80\",width=\"640\"} 2",
        "streamd_sent_bytes_total{camera=\"front\"} 45000000",
        "streamd_frames_not_sent_total{camera=\"front\",reason=\"slow_link\"} 7",
        "streamd_delivery_latency_seconds_count{camera=\"front\"} 0",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|l| l == line),
            "{line}\nis missing in\n{text}"
        );
    }
}

/// What OpenMetrics asks of every text, and promtool would check.
#[test]
fn every_sample_has_a_family_with_help_and_type() {
    let text = scrape();
    let mut family = "";
    let mut seen = std::collections::HashSet::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "#" {
            assert!(
                words.len() >= 4 && ["HELP", "TYPE", "UNIT"].contains(&words[1]),
                "{line}"
            );
            if words[1] == "HELP" {
                family = words[2];
                assert!(seen.insert(family), "{family} is there twice");
            }
            assert_eq!(words[2], family, "{line}");
            continue;
        }
        assert!(
            !family.is_empty() && line.starts_with(family),
            "{line} after {family}"
        );
        assert!(words[words.len() - 1].parse::<f64>().is_ok(), "{line}");
    }
    assert!(seen.len() > 12);
}

/// The reference names every family, and no other.
#[test]
fn the_reference_is_complete() {
    let reference = include_str!("../../../docs/ref/metrics.md");
    let text = scrape();
    let told = |line: &str| line.strip_prefix("# TYPE ").map(|rest| rest.to_owned());
    let families: Vec<_> = text.lines().filter_map(told).collect();
    for family in &families {
        let (name, kind) = family.split_once(' ').unwrap();
        let name = match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        };
        assert!(
            reference.contains(&format!("| `{name}` | {kind} |")),
            "{name} {kind}"
        );
    }
    let rows = reference
        .lines()
        .filter(|line| line.starts_with("| `streamd_"))
        .count();
    assert_eq!(rows, families.len());
}

/// The dashboard asks for nothing that is not there.
#[test]
fn the_dashboards_metrics_exist() {
    let dashboard = include_str!("../../../packaging/grafana/streamd.json");
    let text = scrape();
    let mut seen = 0;
    for rest in dashboard.split("streamd_").skip(1) {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let name = format!("streamd_{}", &rest[..end.unwrap_or(rest.len())]);
        let sample = |line: &str| {
            line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
        };
        assert!(text.lines().any(sample), "{name}");
        seen += 1;
    }
    assert!(seen > 20);
}
