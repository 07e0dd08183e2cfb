//! A safe face of Cisco's openh264: one stream's encoder.

use std::ptr;

use openh264_sys2::{
    CAMERA_VIDEO_REAL_TIME, CM_SMPTE170M, CONSTANT_ID, ENCODER_OPTION_BITRATE,
    ENCODER_OPTION_TRACE_LEVEL, ISVCEncoder, LOW_COMPLEXITY, PRO_BASELINE, RC_TIMESTAMP_MODE,
    SBitrateInfo, SEncParamExt, SFrameBSInfo, SM_SINGLE_SLICE, SPATIAL_LAYER_ALL, SSourcePicture,
    WELS_LOG_QUIET, source::APILoader, videoFormatI420,
};

use super::{
    planes::Planes,
    units::{self, Unit},
};
use crate::media::Timestamp;

/// Temporal layers: every second picture is one that no other needs.
const LAYERS: i32 = 2;

/// What a key may have of what a picture has on average, per cent.
const KEY_SHARE: i32 = 110;

/// What openh264 says when it fails: the name of the call and its code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call} failed: {code}")]
pub struct Error {
    call: &'static str,
    code: i32,
}

/// What a stream's encoder is made for; another needs another encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: f64,
}

/// An encoder.
pub struct Encoder {
    raw: *mut ISVCEncoder,
    shape: Shape,
    bit_rate: u32,
}

// SAFETY: the library's encoder has no ties to a thread; it is used by one at a time.
unsafe impl Send for Encoder {}

/// Calls a function of the encoder's table.
macro_rules! call {
    ($encoder:expr, $name:ident $(, $argument:expr)*) => {{
        let encoder: *mut ISVCEncoder = $encoder;
        let code = match (**encoder).$name {
            Some(function) => function(encoder $(, $argument)*),
            None => -1,
        };
        match code {
            0 => Ok(()),
            code => Err(Error { call: stringify!($name), code }),
        }
    }};
}

impl Encoder {
    /// An encoder whose first picture will be a key.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn new(shape: Shape, bit_rate: u32) -> Result<Self, Error> {
        let mut raw: *mut ISVCEncoder = ptr::null_mut();
        // SAFETY: it writes a pointer to a new encoder, or fails.
        let code = unsafe { APILoader::WelsCreateSVCEncoder(&raw mut raw) };
        if code != 0 || raw.is_null() {
            let call = "WelsCreateSVCEncoder";
            return Err(Error { call, code });
        }
        // From here on dropped in every case.
        let mut encoder = Self {
            raw,
            shape,
            bit_rate,
        };
        encoder.begin()?;
        Ok(encoder)
    }

    fn begin(&mut self) -> Result<(), Error> {
        let mut quiet = WELS_LOG_QUIET;
        let mut parameters = SEncParamExt::default();
        // SAFETY: the encoder is alive; the calls fill or read what they are given, and keep no
        // pointer to it.
        unsafe {
            let option = (&raw mut quiet).cast();
            call!(self.raw, SetOption, ENCODER_OPTION_TRACE_LEVEL, option)?;
            call!(self.raw, GetDefaultParams, &raw mut parameters)?;
            fill(&mut parameters, self.shape, self.bit_rate);
            call!(self.raw, InitializeExt, &raw const parameters)
        }
    }

    /// What it was made for.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// From the next picture on, so many bits a second.
    pub fn set_bit_rate(&mut self, bits: u32) -> Result<(), Error> {
        if bits == self.bit_rate {
            return Ok(());
        }
        let mut rate = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: bits as i32,
        };
        // SAFETY: the option's type is the one that the library expects for it.
        unsafe {
            let option = (&raw mut rate).cast();
            call!(self.raw, SetOption, ENCODER_OPTION_BITRATE, option)?;
        }
        self.bit_rate = bits;
        Ok(())
    }

    /// Encodes a picture of the encoder's shape; `key` makes it one that needs none before it.
    /// `head` is put before it.
    pub fn encode(
        &mut self,
        planes: &Planes,
        captured: Timestamp,
        key: bool,
        head: &[u8],
    ) -> Result<Unit, Error> {
        if key {
            // SAFETY: a plain call on a live encoder.
            unsafe { call!(self.raw, ForceIntraFrame, true)? };
        }
        let [luma, u, v] = planes.planes();
        let pointer = |plane: &[u8]| plane.as_ptr().cast_mut();
        let picture = SSourcePicture {
            iColorFormat: videoFormatI420,
            iStride: [luma.1, u.1, v.1, 0].map(|stride| stride as i32),
            pData: [pointer(luma.0), pointer(u.0), pointer(v.0), ptr::null_mut()],
            iPicWidth: self.shape.width as i32,
            iPicHeight: self.shape.height as i32,
            uiTimeStamp: (captured.as_nanos() / 1_000_000) as i64,
            ..SSourcePicture::default()
        };
        let mut made = SFrameBSInfo::default();
        // SAFETY: the planes have the lines of the encoder's shape, and are only read.
        unsafe { call!(self.raw, EncodeFrame, &raw const picture, &raw mut made)? };
        let mut bytes = Vec::with_capacity(head.len() + made.iFrameSizeInBytes.max(0) as usize);
        bytes.extend_from_slice(head);
        for layer in &made.sLayerInfo[..made.iLayerNum.clamp(0, 128) as usize] {
            let count = layer.iNalCount.max(0) as usize;
            // SAFETY: the library has written so many lengths, and so many bytes as they sum up to;
            // both stay until its next call.
            let units = unsafe {
                let lengths = std::slice::from_raw_parts(layer.pNalLengthInByte, count);
                let total: i32 = lengths.iter().sum();
                std::slice::from_raw_parts(layer.pBsBuf, total as usize)
            };
            bytes.extend_from_slice(units);
        }
        Ok(units::unit(bytes))
    }
}

/// Constrained baseline, no picture held back, and colours as JFIF has them.
fn fill(parameters: &mut SEncParamExt, shape: Shape, bit_rate: u32) {
    let (width, height) = (shape.width as i32, shape.height as i32);
    parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
    parameters.iPicWidth = width;
    parameters.iPicHeight = height;
    parameters.iTargetBitrate = bit_rate as i32;
    parameters.iMaxBitrate = 0;
    // Of the modes it is the one that keeps to the bit rate on film, and at whatever frame rate comes.
    parameters.iRCMode = RC_TIMESTAMP_MODE;
    parameters.fMaxFrameRate = shape.fps as f32;
    parameters.iTemporalLayerNum = LAYERS;
    parameters.iSpatialLayerNum = 1;
    parameters.iComplexityMode = LOW_COMPLEXITY;
    parameters.uiIntraPeriod = 0;
    parameters.iNumRefFrame = 1;
    parameters.eSpsPpsIdStrategy = CONSTANT_ID;
    parameters.bEnableFrameSkip = false;
    parameters.iEntropyCodingModeFlag = 0;
    parameters.iMultipleThreadIdc = 1;
    parameters.bEnableSceneChangeDetect = false;
    parameters.bEnableBackgroundDetection = true;
    parameters.bEnableAdaptiveQuant = false;
    parameters.bEnableDenoise = false;
    parameters.bFixRCOverShoot = true;
    parameters.iIdrBitrateRatio = KEY_SHARE;
    let layer = &mut parameters.sSpatialLayers[0];
    layer.iVideoWidth = width;
    layer.iVideoHeight = height;
    layer.fFrameRate = shape.fps as f32;
    layer.iSpatialBitrate = bit_rate as i32;
    layer.iMaxSpatialBitrate = 0;
    layer.uiProfileIdc = PRO_BASELINE;
    layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    layer.bVideoSignalTypePresent = true;
    layer.uiVideoFormat = 5;
    layer.bFullRange = true;
    layer.bColorDescriptionPresent = true;
    // Primaries and transfer are not known; the matrix is that of BT.601.
    layer.uiColorPrimaries = 2;
    layer.uiTransferCharacteristics = 2;
    layer.uiColorMatrix = CM_SMPTE170M as u8;
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe {
            let _ = call!(self.raw, Uninitialize);
            APILoader::WelsDestroySVCEncoder(self.raw);
        }
    }
}
