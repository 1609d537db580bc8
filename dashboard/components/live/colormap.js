// The colors of the spectrogram.

// Every sixteenth color of matplotlib's inferno, which the model's input uses, too.
const INFERNO = [
  "000004",
  "0b0724",
  "210c4a",
  "3d0965",
  "57106e",
  "71196e",
  "8a226a",
  "a32c61",
  "bc3754",
  "d04545",
  "e35933",
  "f1711f",
  "f98c0a",
  "fcaa0f",
  "f9c932",
  "f2e865",
  "fcffa4",
].map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** Return 256 colors as 32-bit pixels in this machine's byte order. */
export function colormapPixels() {
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * (INFERNO.length - 1);
    const low = Math.min(Math.floor(place), INFERNO.length - 2);
    for (let part = 0; part < 3; part++) {
      bytes[4 * value + part] =
        INFERNO[low][part] + (place - low) * (INFERNO[low + 1][part] - INFERNO[low][part]);
    }
    bytes[4 * value + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}
