//! What comes in by HDMI and its like: the timings of the picture are asked for and set at each
//! opening, and followed when the source changes. `Documentation/userspace-api/media/v4l/dv-timings`
//! of the kernel says how.

use std::{fs, io, path::Path};

use nix::{errno::Errno, request_code_read, request_code_readwrite, request_code_write};
use v4l::{
    Device, v4l_sys as sys,
    v4l2::{vidioc, vidioc::_IOC_TYPE},
};

use super::{Settings, descriptor::ioctl, error::DeviceError, inputs::Input, v4l2::Camera};

// videodev2.h; the crate has none of these.
pub(super) const S_DV_TIMINGS: _IOC_TYPE =
    request_code_readwrite!(b'V', 87, size_of::<sys::v4l2_dv_timings>());
pub(super) const G_DV_TIMINGS: _IOC_TYPE =
    request_code_readwrite!(b'V', 88, size_of::<sys::v4l2_dv_timings>());
const DQEVENT: _IOC_TYPE = request_code_read!(b'V', 89, size_of::<sys::v4l2_event>());
const SUBSCRIBE_EVENT: _IOC_TYPE =
    request_code_write!(b'V', 90, size_of::<sys::v4l2_event_subscription>());
pub(super) const QUERY_DV_TIMINGS: _IOC_TYPE =
    request_code_read!(b'V', 99, size_of::<sys::v4l2_dv_timings>());

/// Events that are taken out at a time; a driver keeps one a kind.
const MOST_EVENTS: usize = 32;

/// By how much two measurements of one pixel clock may differ, Hz: what the kernel's own
/// `v4l2_match_dv_timings` is given by most receivers' drivers.
const CLOCK_TOLERANCE: u64 = 250_000;

/// Bytes of a block of an EDID.
const BLOCK: usize = 128;

/// The longest EDID, in blocks.
const MOST_BLOCKS: usize = 256;

/// Bytes that a driver may change in an EDID: the physical address of HDMI, and a checksum.
const PATCHED: usize = 3;

/// Sets the timings of what comes in, and has the driver tell when that changes. An input that has
/// no timings is left alone.
pub(super) fn adopt(
    device: &Device,
    path: &Path,
    input: Option<&Input>,
    settings: &Settings,
) -> Result<(), DeviceError> {
    let digital = |input: &&Input| input.capabilities & sys::V4L2_IN_CAP_DV_TIMINGS != 0;
    let Some(input) = input.filter(digital) else {
        return Ok(());
    };
    if let Some(edid) = &settings.edid {
        offer(device, input, edid.path()).map_err(|why| DeviceError::Edid {
            path: path.into(),
            file: edid.path().into(),
            why,
        })?;
    }
    // Before the timings are asked for, so that no change falls between.
    subscribe(device, input);
    let Some(mut timings) = detected(device).map_err(|errno| no_picture(path, input, errno))?
    else {
        return Ok(());
    };
    if current(device).is_some_and(|set| same(&set, &timings)) {
        return Ok(());
    }
    ioctl(device, S_DV_TIMINGS, &mut timings)
        .map_err(|error| DeviceError::of(path, "VIDIOC_S_DV_TIMINGS", &error))
}

/// What the driver's `POLLPRI` means.
///
/// # Errors
/// The source has changed: the device is to be opened anew, which says what it is now.
pub(super) fn follow(camera: &Camera) -> Result<(), DeviceError> {
    let device = camera.device();
    let path = camera.path.clone();
    if !told_of_change(device) {
        return Ok(());
    }
    match (detected(device), current(device)) {
        // It is as it was: some drivers tell more than once.
        (Ok(Some(now)), Some(set)) if same(&now, &set) => Ok(()),
        _ => Err(DeviceError::SourceChanged { path }),
    }
}

/// What comes in; `None` if the driver can't tell.
fn detected(device: &Device) -> Result<Option<sys::v4l2_dv_timings>, Errno> {
    let mut timings = zeroed();
    match ioctl(device, QUERY_DV_TIMINGS, &mut timings).map_err(|error| errno(&error)) {
        Ok(()) => Ok(Some(timings)),
        Err(silent @ (Errno::ENOLINK | Errno::ENOLCK | Errno::ERANGE)) => Err(silent),
        Err(_) => Ok(None),
    }
}

/// What is set.
fn current(device: &Device) -> Option<sys::v4l2_dv_timings> {
    let mut timings = zeroed();
    let asked = ioctl(device, G_DV_TIMINGS, &mut timings);
    asked.ok().map(|()| timings)
}

fn zeroed() -> sys::v4l2_dv_timings {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    unsafe { std::mem::zeroed() }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

fn no_picture(path: &Path, input: &Input, errno: Errno) -> DeviceError {
    DeviceError::NoPicture {
        path: path.into(),
        input: input.name.clone(),
        why: match errno {
            Errno::ENOLINK => "no signal: no cable, or the source is off",
            Errno::ENOLCK => "no sync: there is a signal, but none that the receiver can lock to",
            _ => "out of range: the source sends a picture that the receiver can't take",
        },
    }
}

/// Whether two timings are those of one picture, measured twice.
fn same(a: &sys::v4l2_dv_timings, b: &sys::v4l2_dv_timings) -> bool {
    let whole = |timings: &sys::v4l2_dv_timings| {
        // SAFETY: both members of the union are made of integers, for which any bytes are valid.
        let bt = unsafe { timings.__bindgen_anon_1.bt };
        let (type_, clock) = (timings.type_, bt.pixelclock);
        // 64 bits, since any number may stand there.
        let sum = |parts: [u32; 3]| parts.into_iter().map(u64::from).sum::<u64>();
        let across = sum([bt.hfrontporch, bt.hsync, bt.hbackporch]);
        let down = sum([bt.vfrontporch, bt.vsync, bt.vbackporch]);
        let shape = (type_, bt.width, bt.height, bt.interlaced, across, down);
        (shape, clock)
    };
    let ((a, clock_a), (b, clock_b)) = (whole(a), whole(b));
    a == b && clock_a.abs_diff(clock_b) <= CLOCK_TOLERANCE
}

/// The event's id is the number of the input; drivers that have one input behind another chip may
/// say 0 for it.
fn subscribe(device: &Device, input: &Input) {
    subscribe_to(device, 0);
    if input.number != 0 {
        subscribe_to(device, input.number);
    }
}

fn subscribe_to(device: &Device, id: u32) {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut wanted: sys::v4l2_event_subscription = unsafe { std::mem::zeroed() };
    (wanted.type_, wanted.id) = (sys::V4L2_EVENT_SOURCE_CHANGE, id);
    if let Err(error) = ioctl(device, SUBSCRIBE_EVENT, &mut wanted) {
        // Then a change shows as a stream that ends.
        tracing::debug!(%error, "the driver does not tell of changes of the source");
    }
}

/// Takes the driver's events; whether one says that the source has changed.
fn told_of_change(device: &Device) -> bool {
    let event = || {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut event: sys::v4l2_event = unsafe { std::mem::zeroed() };
        let taken = ioctl(device, DQEVENT, &mut event);
        taken.ok().map(|()| event.type_)
    };
    let events = std::iter::from_fn(event).take(MOST_EVENTS);
    // All of them are taken, or they would come back at once.
    let changes = events.filter(|type_| *type_ == sys::V4L2_EVENT_SOURCE_CHANGE);
    changes.count() > 0
}

/// Offers sources the EDID of a file, unless the device has it: a new one makes each source begin
/// anew.
fn offer(device: &Device, input: &Input, file: &Path) -> Result<(), String> {
    let mut edid = read(file)?;
    let mut old = vec![0; MOST_BLOCKS * BLOCK];
    let had = exchange(device, vidioc::VIDIOC_G_EDID, input, &mut old);
    if had.is_ok_and(|blocks| is_offered(&old[..blocks * BLOCK], &edid)) {
        return Ok(());
    }
    match exchange(device, vidioc::VIDIOC_S_EDID, input, &mut edid) {
        Ok(_) => Ok(()),
        Err(error) => Err(match errno(&error) {
            Errno::E2BIG => "the device has no room for so many blocks".into(),
            Errno::ENOTTY | Errno::EINVAL => "the device takes no EDID at this input".into(),
            errno => errno.desc().into(),
        }),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let edid = fs::read(file).map_err(|error| error.to_string())?;
    let blocks = edid.len() / BLOCK;
    let magic = [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0];
    if !edid.len().is_multiple_of(BLOCK) || blocks > MOST_BLOCKS || !edid.starts_with(&magic) {
        return Err(format!(
            "it is no EDID: 1 to {MOST_BLOCKS} blocks of {BLOCK} bytes are allowed"
        ));
    }
    let sum = |block: &[u8]| block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    match edid.chunks(BLOCK).position(|block| sum(block) != 0) {
        Some(block) => Err(format!("the checksum of its block {block} is wrong")),
        None => Ok(edid),
    }
}

/// Whether a device has this EDID, but for what drivers change in it.
fn is_offered(has: &[u8], edid: &[u8]) -> bool {
    let differs = |at: &usize| has[*at] != edid[*at];
    has.len() == edid.len()
        && has[..BLOCK] == edid[..BLOCK]
        && (BLOCK..edid.len()).filter(differs).count() <= PATCHED
}

/// Reads or writes an EDID; returns how many blocks there are.
fn exchange(
    device: &Device,
    request: _IOC_TYPE,
    input: &Input,
    bytes: &mut [u8],
) -> io::Result<usize> {
    // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
    let mut raw: sys::v4l2_edid = unsafe { std::mem::zeroed() };
    raw.pad = input.number;
    raw.blocks = u32::try_from(bytes.len() / BLOCK).expect("an EDID is bounded");
    raw.edid = bytes.as_mut_ptr();
    ioctl(device, request, &mut raw)?;
    Ok((raw.blocks as usize).min(bytes.len() / BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1080p at 60 frames a second, by CEA-861.
    fn full_hd() -> sys::v4l2_dv_timings {
        let mut timings = zeroed();
        // SAFETY: as in `zeroed`.
        let mut bt: sys::v4l2_bt_timings = unsafe { std::mem::zeroed() };
        (bt.width, bt.height, bt.pixelclock) = (1920, 1080, 148_500_000);
        (bt.hfrontporch, bt.hsync, bt.hbackporch) = (88, 44, 148);
        (bt.vfrontporch, bt.vsync, bt.vbackporch) = (4, 5, 36);
        timings.__bindgen_anon_1.bt = bt;
        timings
    }

    fn changed(change: impl FnOnce(&mut sys::v4l2_bt_timings)) -> sys::v4l2_dv_timings {
        let mut timings = full_hd();
        // SAFETY: the union was written by its member `bt`.
        let mut bt = unsafe { timings.__bindgen_anon_1.bt };
        change(&mut bt);
        timings.__bindgen_anon_1.bt = bt;
        timings
    }

    #[test]
    fn a_clock_that_is_measured_twice_is_no_change_of_the_source() {
        let is = full_hd();
        assert!(same(&is, &full_hd()));
        assert!(same(&is, &changed(|bt| bt.pixelclock += 200_000)));
        // Front and back porch are not told apart by all receivers.
        let shifted = changed(|bt| (bt.hfrontporch, bt.hbackporch) = (148, 88));
        assert!(same(&is, &shifted));
        assert!(!same(&is, &changed(|bt| bt.pixelclock = 74_250_000)));
        assert!(!same(&is, &changed(|bt| bt.height = 1200)));
        assert!(!same(&is, &changed(|bt| bt.interlaced = 1)));
        let huge = changed(|bt| (bt.hsync, bt.hbackporch) = (u32::MAX, u32::MAX));
        assert!(!same(&is, &huge));
    }

    /// Two blocks with the right checksums.
    fn edid() -> Vec<u8> {
        let mut edid = vec![7; 2 * BLOCK];
        edid[..8].copy_from_slice(&[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
        for block in edid.chunks_mut(BLOCK) {
            let sum = block[..BLOCK - 1]
                .iter()
                .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            block[BLOCK - 1] = sum.wrapping_neg();
        }
        edid
    }

    #[test]
    fn an_edid_is_checked_before_it_is_offered() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("edid");
        let read_back = |bytes: &[u8]| {
            fs::write(&file, bytes).expect("written");
            read(&file)
        };
        assert_eq!(read_back(&edid()), Ok(edid()));
        let mut wrong = edid();
        wrong[200] ^= 1;
        assert!(read_back(&wrong).is_err_and(|why| why.contains("block 1")));
        for bad in [&edid()[..100], &edid()[BLOCK..], b""] {
            assert!(read_back(bad).is_err_and(|why| why.contains("128 bytes")));
        }
        assert!(read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn an_edid_that_the_driver_has_patched_is_not_offered_again() {
        let mut has = edid();
        (has[140], has[141], has[255]) = (0x10, 0, 0x33);
        assert!(is_offered(&has, &edid()));
        has[20] = 1;
        assert!(!is_offered(&has, &edid()), "the first block has no address");
        assert!(!is_offered(&edid()[..BLOCK], &edid()));
        assert!(!is_offered(&[], &edid()));
    }
}
