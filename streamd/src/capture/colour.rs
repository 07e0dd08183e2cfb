//! Levels and matrix of a format, by the driver's words and, where it has none, by V4L2's rules.

use v4l::v4l_sys as sys;

use crate::media::{Colour, Matrix, PixelFormat, Range};

/// What a driver says of a format's colours: values of V4L2's enumerations, 0 for "as usual".
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Named {
    /// `V4L2_COLORSPACE_…`
    pub colorspace: u32,
    /// `V4L2_YCBCR_ENC_…`
    pub encoding: u32,
    /// `V4L2_QUANTIZATION_…`
    pub quantization: u32,
    /// `V4L2_XFER_FUNC_…`
    pub transfer: u32,
}

impl Named {
    /// As the format says; `encoding` stands in a union of it. Without the magic number, the driver
    /// fills in the first field only.
    pub fn of(format: &sys::v4l2_pix_format, encoding: u32) -> Self {
        let colorspace = format.colorspace;
        if format.priv_ != sys::V4L2_PIX_FMT_PRIV_MAGIC {
            return Self {
                colorspace,
                ..Self::default()
            };
        }
        Self {
            colorspace,
            encoding,
            quantization: format.quantization,
            transfer: format.xfer_func,
        }
    }

    /// What it comes to, by `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT` of
    /// videodev2.h. Grey is taken for full range unless the driver says otherwise: those rules
    /// make it limited, and sensors that have no colour know nothing of that.
    pub fn colour(self, format: PixelFormat) -> Colour {
        let range = match self.quantization {
            sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => Range::Full,
            sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => Range::Limited,
            _ if !format.is_ycbcr() => Range::Full,
            _ if self.colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG => Range::Full,
            _ => Range::Limited,
        };
        let colour = Colour {
            range,
            matrix: self.matrix(),
        };
        // Transfer functions and primaries are left as they are: a screen shows those of BT.709,
        // and nearly those of BT.601, as it does JFIF's.
        let transfer = self.transfer;
        tracing::debug!(named = ?self, transfer, ?colour, "colours of {format}");
        colour
    }

    fn matrix(self) -> Matrix {
        match self.encoding {
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_DEFAULT => match self.colorspace {
                sys::v4l2_colorspace_V4L2_COLORSPACE_REC709
                | sys::v4l2_colorspace_V4L2_COLORSPACE_DCI_P3 => Matrix::Bt709,
                sys::v4l2_colorspace_V4L2_COLORSPACE_BT2020 => Matrix::Bt2020,
                sys::v4l2_colorspace_V4L2_COLORSPACE_SMPTE240M => Matrix::Smpte240m,
                _ => Matrix::Bt601,
            },
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709
            | sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV709 => Matrix::Bt709,
            // Constant luminance is not linear in red, green and blue; this comes near.
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020
            | sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020_CONST_LUM => Matrix::Bt2020,
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SMPTE240M => Matrix::Smpte240m,
            _ => Matrix::Bt601,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(colorspace: u32, encoding: u32, quantization: u32, format: PixelFormat) -> Colour {
        let transfer = 0;
        Named {
            colorspace,
            encoding,
            quantization,
            transfer,
        }
        .colour(format)
    }

    #[test]
    fn what_the_driver_leaves_open_follows_the_rules() {
        use PixelFormat::{Grey, Rgb24, Yuyv};
        let (srgb, rec709, jpeg) = (8, 3, 7);
        assert_eq!(colour(0, 0, 0, Yuyv), Colour::VIDEO);
        assert_eq!(colour(srgb, 0, 0, Yuyv), Colour::VIDEO);
        assert_eq!(colour(jpeg, 0, 0, Yuyv), Colour::JFIF);
        assert_eq!(colour(srgb, 0, 1, Yuyv), Colour::JFIF);
        assert_eq!(colour(rec709, 0, 0, Yuyv).matrix, Matrix::Bt709);
        assert_eq!(colour(rec709, 1, 0, Yuyv), Colour::VIDEO);
        assert_eq!(colour(srgb, 4, 0, Yuyv).matrix, Matrix::Bt709);
        assert_eq!(colour(10, 0, 0, Yuyv).matrix, Matrix::Bt2020);
        assert_eq!(colour(2, 0, 0, Yuyv).matrix, Matrix::Smpte240m);
        for format in [Grey, Rgb24] {
            assert_eq!(colour(srgb, 0, 0, format).range, Range::Full);
            assert_eq!(colour(srgb, 0, 2, format).range, Range::Limited);
        }
    }

    #[test]
    fn without_the_magic_number_only_the_colour_space_counts() {
        let mut format = sys::v4l2_pix_format {
            width: 0,
            height: 0,
            pixelformat: 0,
            field: 0,
            bytesperline: 0,
            sizeimage: 0,
            colorspace: 3,
            priv_: 0,
            flags: 0,
            __bindgen_anon_1: sys::v4l2_pix_format__bindgen_ty_1 { ycbcr_enc: 4 },
            quantization: 1,
            xfer_func: 0,
        };
        let named = Named::of(&format, 4);
        let said = (named.colorspace, named.encoding, named.quantization);
        assert_eq!(said, (3, 0, 0));
        format.priv_ = sys::V4L2_PIX_FMT_PRIV_MAGIC;
        let named = Named::of(&format, 4);
        assert_eq!((named.encoding, named.quantization), (4, 1));
    }
}
