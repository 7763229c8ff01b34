//! Texts as QR codes (ISO/IEC 18004), with the level of correction that survives a scratched screen.

use qrcode::{Color, EcLevel, QrCode, render::svg};

use crate::problem::Problem;

/// A picture's sides, at least, in pixels.
const SIDE: u32 = 320;
/// The free margin that a reader needs, in modules.
const QUIET: usize = 4;

fn code(text: &str) -> Result<QrCode, Problem> {
    QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| Problem::internal("The code can't be drawn."))
}

/// As SVG.
///
/// # Errors
/// If the text is longer than a code takes.
pub(super) fn svg(text: &str) -> Result<String, Problem> {
    Ok(code(text)?.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build())
}

/// As PNG: a bit a pixel.
///
/// # Errors
/// As [`svg`].
pub(super) fn png(text: &str) -> Result<Vec<u8>, Problem> {
    let code = code(text)?;
    let modules = code.width() + 2 * QUIET;
    let scale = (SIDE as usize).div_ceil(modules);
    let side = modules * scale;
    let is_light = |x: usize, y: usize| {
        let inside = |at: usize| (at / scale).checked_sub(QUIET).filter(|at| *at < code.width());
        inside(x).zip(inside(y)).is_none_or(|at| code[at] == Color::Light)
    };
    let row = |y: usize| (0..side.div_ceil(8)).map(move |byte| (byte, y));
    let pixels: Vec<u8> = (0..side)
        .flat_map(row)
        .map(|(byte, y)| {
            (0..8).fold(0, |bits, bit| {
                let x = byte * 8 + bit;
                bits << 1 | u8::from(x >= side || is_light(x, y))
            })
        })
        .collect();
    let mut picture = Vec::new();
    let pixels_a_side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = ::png::Encoder::new(&mut picture, pixels_a_side, pixels_a_side);
    encoder.set_color(::png::ColorType::Grayscale);
    encoder.set_depth(::png::BitDepth::One);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|_| Problem::internal("The code can't be drawn."))?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_shows_the_same_modules_as_the_code() {
        let text = "x".repeat(360);
        let code = code(&text).unwrap();
        let decoder = ::png::Decoder::new(std::io::Cursor::new(png(&text).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (side, modules) = (info.width as usize, code.width() + 2 * QUIET);
        assert!(side >= SIDE as usize && side % modules == 0, "{side}");
        let (scale, line) = (side / modules, info.line_size);
        for y in 0..code.width() {
            for x in 0..code.width() {
                let (left, top) = ((x + QUIET) * scale, (y + QUIET) * scale);
                let is_light = pixels[top * line + left / 8] >> (7 - left % 8) & 1 == 1;
                assert_eq!(is_light, code[(x, y)] == Color::Light, "{x} {y}");
            }
        }
        assert_eq!(pixels[0] >> 7, 1, "the margin is light");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        assert!(svg(&"x".repeat(5_000)).is_err());
        assert!(png(&"x".repeat(5_000)).is_err());
    }
}
