// Size of a canvas in device pixels.

const MAX_PIXEL_RATIO = 2; // a higher ratio costs time without a visible difference

/** Match a canvas to its size on the page. Returns {width, height, scale}; scale is pixels per CSS pixel. */
export function fitCanvas(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, MAX_PIXEL_RATIO);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { width, height, scale };
}
