// The colors of the spectrogram.

const LEVELS = 256;

/**
 * Convert the analyzer's colormap to 32-bit pixels in this machine's byte order.
 *
 * @param {unknown} base64 three bytes RGB for each level. Any other value gives shades of gray.
 */
export function colormapPixels(base64) {
  const table = decodeTable(base64);
  const bytes = new Uint8ClampedArray(4 * LEVELS);
  for (let level = 0; level < LEVELS; level++) {
    for (let channel = 0; channel < 3; channel++) {
      bytes[4 * level + channel] = table ? table.charCodeAt(3 * level + channel) : level;
    }
    bytes[4 * level + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

function decodeTable(base64) {
  try {
    const table = typeof base64 === "string" ? atob(base64) : "";
    return table.length === 3 * LEVELS ? table : null;
  } catch {
    return null;
  }
}
