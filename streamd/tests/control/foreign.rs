//! A Varlink client that others wrote takes us for a Varlink service.

use serde::{Deserialize, Serialize};
use zlink::{
    ReplyError, names::InterfaceName, proxy, tokio::unix, varlink_service::Proxy as ServiceProxy,
};

use crate::daemon::{Daemon, PATIENCE};

#[proxy("io.streamd.Control")]
trait ControlProxy {
    #[zlink(rename = "GetStats", more)]
    async fn follow_stats(
        &mut self,
        #[zlink(rename = "intervalMs")] interval_ms: i64,
    ) -> zlink::Result<
        impl futures_util::Stream<Item = zlink::Result<Result<StatsReply, ControlError>>>,
    >;
    async fn set_camera(
        &mut self,
        camera: Option<&str>,
        quality: Option<i64>,
    ) -> zlink::Result<Result<CamerasReply, ControlError>>;
}

#[derive(Debug, Serialize, Deserialize)]
struct StatsReply {
    stats: streamd_protocol::stats::Stats,
}

#[derive(Debug, Serialize, Deserialize)]
struct CamerasReply {
    cameras: Vec<String>,
}

#[derive(Debug, PartialEq, ReplyError)]
#[zlink(interface = "io.streamd.Control")]
enum ControlError {
    NoSuchCamera { name: String, known: Vec<String> },
    InvalidValue { parameter: String, message: String },
}

async fn converse(daemon: &Daemon) {
    let mut connection = unix::connect(&daemon.socket).await.unwrap();
    let info = connection.get_info().await.unwrap().unwrap();
    assert_eq!(info.product, "streamd");
    let interfaces: Vec<String> = info.interfaces.iter().map(ToString::to_string).collect();
    assert_eq!(interfaces, ["org.varlink.service", "io.streamd.Control"]);
    for name in interfaces {
        let wanted = InterfaceName::try_from(name.as_str()).unwrap();
        let description = connection.get_interface_description(wanted).await;
        let description = description.unwrap().unwrap();
        assert_eq!(description.parse().unwrap().name().as_str(), name);
    }
    let set = connection.set_camera(None, Some(70)).await.unwrap();
    assert_eq!(set.unwrap().cameras, ["main", "stuck"]);
    let refused = connection.set_camera(Some("side"), Some(70)).await.unwrap();
    assert_eq!(
        refused.unwrap_err(),
        ControlError::NoSuchCamera {
            name: "side".into(),
            known: vec!["main".into(), "stuck".into()]
        }
    );
    let mut stream = std::pin::pin!(connection.follow_stats(100).await.unwrap());
    for _ in 0..2 {
        let reply = futures_util::StreamExt::next(&mut stream).await.unwrap();
        assert_eq!(
            reply.unwrap().unwrap().stats.version,
            env!("CARGO_PKG_VERSION")
        );
    }
}

#[test]
fn a_foreign_client_understands_us() {
    let daemon = Daemon::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, converse(&daemon))
            .await
            .expect("it hangs");
    });
}
