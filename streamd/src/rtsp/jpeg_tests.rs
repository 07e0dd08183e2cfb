//! Pictures as a receiver makes them anew, by RFC 2435 appendix B.

use proptest::prelude::*;

use super::*;

/// A picture of this size with this luma sampling, whose tables are two segments or one.
fn picture(size: (u16, u16), luma: u8, restart: u16, huffman: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2];
    out.extend([0xFF, 0xDB, 0, 132, 0]);
    out.extend([7; TABLE]);
    out.push(1);
    out.extend([8; TABLE]);
    if restart > 0 {
        out.extend([0xFF, 0xDD, 0, 4]);
        out.extend(restart.to_be_bytes());
    }
    out.extend([0xFF, 0xC0, 0, 17, 8]);
    out.extend(size.1.to_be_bytes());
    out.extend(size.0.to_be_bytes());
    out.extend([3, 1, luma, 0, 2, 0x11, 1, 3, 0x11, 1]);
    out.extend(huffman);
    out.extend([0xFF, 0xDA, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
    out.extend(data);
    out.extend([0xFF, 0xD9]);
    out
}

fn plain(size: (u16, u16), luma: u8) -> Vec<u8> {
    picture(size, luma, 0, &huffman::SEGMENT, &[1, 2, 3])
}

#[test]
fn a_picture_comes_whole_in_pieces_of_any_size() {
    let data: Vec<u8> = (0..5000).map(|n| (n % 200) as u8).collect();
    for (restart, most) in [(0, 1388), (0, 60_000), (4, 1388), (0, 200)] {
        let bytes = picture((640, 484), 0x22, restart, &huffman::SEGMENT, &data);
        let mut pieces = Pieces::default();
        Scan::read(&bytes).unwrap().cut(most, &mut pieces);
        let mut got: Vec<u8> = Vec::new();
        for piece in &pieces.all {
            assert!(piece.length() <= most);
            let head = &pieces.heads[piece.head.clone()];
            assert_eq!(head[..4], (got.len() as u32).to_be_bytes());
            let kind = if restart > 0 { 65 } else { 1 };
            assert_eq!(head[4..8], [kind, 255, 80, 61]);
            let mut rest = &head[8..];
            if restart > 0 {
                assert_eq!(rest[..4], [0, 4, 0xFF, 0xFF]);
                rest = &rest[4..];
            }
            if got.is_empty() {
                let tables = [&[0, 0, 0, 128][..], &[7; TABLE], &[8; TABLE]].concat();
                assert_eq!(rest, tables);
            } else {
                assert!(rest.is_empty());
            }
            got.extend(&bytes[piece.picture.clone()]);
        }
        assert_eq!(got, data);
    }
}

#[test]
fn what_a_receiver_could_not_make_is_refused_with_the_reason() {
    let read = |bytes: &[u8]| Scan::read(bytes).map(|scan| scan.kind);
    assert_eq!(read(&plain((8, 8), 0x21)), Ok(0));
    assert_eq!(read(&plain((2040, 2040), 0x22)), Ok(1));
    let no_tables = picture((8, 8), 0x22, 0, &[], &[1]);
    assert_eq!(read(&no_tables), Ok(1), "they are meant where none are");
    assert_eq!(read(&plain((2048, 8), 0x22)), Err(NotCarried::Large));
    assert_eq!(read(&plain((8, 0), 0x22)), Err(NotCarried::Large));
    assert_eq!(read(&plain((8, 8), 0x11)), Err(NotCarried::Sampling));
    assert_eq!(read(&plain((8, 8), 0x41)), Err(NotCarried::Sampling));
    let mut own = huffman::SEGMENT;
    own[30] ^= 1;
    let own = picture((8, 8), 0x22, 0, &own, &[1]);
    assert_eq!(read(&own), Err(NotCarried::Huffman));
    let change = |from: &[u8], to: &[u8]| {
        let mut bytes = plain((8, 8), 0x22);
        let at = memchr::memmem::find(&bytes, from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        read(&bytes)
    };
    let progressive = change(&[0xFF, 0xC0], &[0xFF, 0xC2]);
    assert_eq!(progressive, Err(NotCarried::NotBaseline));
    let grey = change(&[3, 1, 0x22], &[1]);
    assert_eq!(grey, Err(NotCarried::NoColour));
    let wide = change(&[0xFF, 0xDB, 0, 132, 0], &[0xFF, 0xDB, 0, 132, 0x10]);
    assert_eq!(wide, Err(NotCarried::Quantisation));
    let three = change(&[3, 0x11, 1], &[3, 0x11, 0]);
    assert_eq!(three, Err(NotCarried::Quantisation));
}

#[test]
fn half_a_picture_is_none() {
    let whole = plain((8, 8), 0x22);
    for cut in 0..whole.len() {
        assert_eq!(Scan::read(&whole[..cut]), Err(NotCarried::Broken), "{cut}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_no_panic(bytes: Vec<u8>, at in 0usize..700, most in 0usize..300) {
        let _ = Scan::read(&bytes);
        let mut whole = plain((64, 64), 0x22);
        let at = at % whole.len();
        whole.splice(at..at, bytes);
        if let Ok(scan) = Scan::read(&whole) {
            scan.cut(most, &mut Pieces::default());
        }
    }
}
