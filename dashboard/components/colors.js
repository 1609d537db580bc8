// Color arithmetic.

const EQUAL_CONTRAST_LUMINANCE = 0.179; // black and white text have the same contrast on it

/** Relative luminance (WCAG 2) of a color such as #1e4dff, 0 to 1. */
export function relativeLuminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Color of text that is readable on a background: almost black or white. */
export function readableTextColor(background) {
  return relativeLuminance(background) > EQUAL_CONTRAST_LUMINANCE ? "#101114" : "#ffffff";
}
