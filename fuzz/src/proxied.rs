//! Any bytes as what a proxy sends first.

use streamd::link::proxied;

/// A header is taken, and no byte more: it alone says the same.
pub fn run(bytes: &[u8]) {
    let take = |mut bytes: &[u8]| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let client = runtime.block_on(proxied::take(&mut bytes));
        client.ok().map(|client| (client, bytes.len()))
    };
    if let Some((client, left)) = take(bytes) {
        let header = &bytes[..bytes.len() - left];
        assert_eq!(take(header), Some((client, 0)));
        assert_eq!(take(&header[..header.len() - 1]), None);
    }
}
