//! Limits of what may be had in a second: handshakes, calls, bytes.

use streamd_protocol::stream::{ToClient, Want};
use streamd_tests::{setup::Setup, viewer::Viewer, web};

/// What a limited viewer is sent: of each picture the time of its capture, in s, and its bytes.
fn sent(viewer: &mut Viewer, pictures: usize) -> Vec<(f64, usize)> {
    let one = |_| {
        let picture = viewer.picture();
        let captured = picture.app.captured_us as f64 / 1e6;
        (captured, picture.bytes.len())
    };
    (0..pictures).map(one).collect()
}

/// That a viewer is told of a rendition that so much allows, and gets no more than that.
#[track_caller]
fn is_kept_to(viewer: &mut Viewer, megabits: f64) {
    let reason = format!("max-bandwidth {megabits:.1} Mb/s");
    viewer.message(|m| matches!(m, ToClient::Rendition { reason: why, .. } if *why == reason));
    let all = sent(viewer, 60);
    let bytes: usize = all.iter().map(|(_, bytes)| bytes).sum();
    let seconds = all[59].0 - all[0].0;
    // A quarter of a second's worth may come at once, and the last one is whole.
    let allowed = megabits * 1e6 / 8.0 * (seconds + 0.25) + all[59].1 as f64;
    assert!(
        bytes as f64 <= allowed,
        "{bytes} bytes in {seconds:.2} s of capture, {allowed:.0} allowed"
    );
}

#[test]
fn a_client_is_kept_to_its_bandwidth_by_its_rendition() {
    let daemon = Setup::default()
        .tables("[clients]\nmax-bandwidth-per-client = \"300kb/s\"")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello("limited", Want::default());
    is_kept_to(&mut viewer, 0.3);
    let mut daemon = daemon;
    daemon.setup = daemon
        .setup
        .clone()
        .tables("[clients]\nmax-bandwidth-per-client = \"none\"");
    daemon.setup.write_config();
    daemon.streamctl("reload").succeeded();
    viewer.message(|m| matches!(m, ToClient::Rendition { reason, .. } if reason == "top"));
}

#[test]
fn all_together_share_what_there_is() {
    let daemon = Setup::default()
        .tables("[clients]\nmax-bandwidth = \"600kb/s\"")
        .start();
    let mut viewers = [daemon.viewer(), daemon.viewer()];
    for viewer in &mut viewers {
        viewer.hello("one of two", Want::default());
    }
    for viewer in &mut viewers {
        is_kept_to(viewer, 0.3);
    }
}

/// Where nothing smaller can be encoded, pictures are left out, and those that come are not late.
#[test]
fn without_renditions_pictures_are_left_out() {
    let daemon = Setup::default()
        .camera("adapt = false")
        .tables("[clients]\nmax-bandwidth-per-client = \"300kb/s\"")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello("limited", Want::default());
    let all = sent(&mut viewer, 20);
    let bytes: usize = all.iter().skip(1).map(|(_, bytes)| bytes).sum();
    let allowed = 300e3 / 8.0 * (all[19].0 - all[0].0 + 0.25);
    assert!(bytes as f64 <= allowed + all[0].1 as f64);
    daemon.wait_for_client(&viewer, "left out by a limit", |client| {
        let dropped = &client.feeds[0].dropped;
        dropped.frame_rate > 0 && dropped.slow_link == 0
    });
}

#[test]
fn calls_of_the_api_are_counted_by_address_and_pictures_are_not() {
    let daemon = Setup::default()
        .tables(
            "[access]\ntrusted-proxies = [\"127.0.0.0/8\"]\n[clients]\nmax-calls-per-address = 1\n[metrics]\nlisten = \"127.0.0.1:0\"",
        )
        .start();
    let http = daemon.setup.http();
    let ask = |path: &str, from: &str| {
        let header = format!("X-Forwarded-For: {from}");
        web::get(http, path, &[&header])
    };
    let refused = (0..20)
        .map(|_| ask("/api/v1/cameras", "192.0.2.7"))
        .find(|answer| answer.status != 200)
        .expect("twenty at once are too many");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    let said = String::from_utf8(refused.body()).unwrap();
    assert!(said.contains("max-calls-per-address"), "{said}");
    daemon
        .log
        .wait_for(&["GET /api/v1/cameras refused", "peer=192.0.2.7"]);
    assert_eq!(ask("/state", "192.0.2.7").status, 200);
    assert_eq!(ask("/api/v1/cameras", "192.0.2.8").status, 200);
    // One household.
    let first = ask("/api/v1/cameras", "2001:db8::1").status;
    let others = (2..20).map(|n| ask("/api/v1/cameras", &format!("2001:db8::{n:x}")).status);
    assert!(first == 200 && others.into_iter().any(|status| status == 429));
}
