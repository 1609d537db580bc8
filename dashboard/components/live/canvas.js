// Canvas size.

const MAX_PIXEL_RATIO = 2; // more costs more than it shows

/** Match a canvas to its size on the page. Returns its width and height in pixels, and the pixels per CSS pixel. */
export function fitCanvas(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, MAX_PIXEL_RATIO);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { width, height, scale };
}
