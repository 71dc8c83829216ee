// PURE: two aligned pictures, as RGBA pixels of one size -> the first in grey, with the differences in colour.

// The difference of the channel that differs most, in levels of 255: up to NOISE_LEVEL it is noise, from FULL_LEVEL on
// it is fully coloured.
const NOISE_LEVEL = 18;
const FULL_LEVEL = 90;
const COLOUR = [255, 64, 129];

// `evenTones` first adjusts brightness and contrast of the second picture to the first. Returns the pixels, and the
// share of the common area that differs; outside it they are transparent.
export function difference(first, second, evenTones = false) {
  const a = first.data;
  const b = second.data;
  const out = new ImageData(first.width, first.height);
  const pixels = out.data;
  const tones = evenTones ? toneCurve(a, b) : null;
  let common = 0;
  let differing = 0;
  for (let i = 0; i < a.length; i += 4) {
    if (a[i + 3] < 255 || b[i + 3] < 255) continue;
    common += 1;
    let most = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      const other = tones ? b[i + channel] * tones[channel].gain + tones[channel].shift : b[i + channel];
      most = Math.max(most, Math.abs(a[i + channel] - other));
    }
    const share = Math.min(1, Math.max(0, (most - NOISE_LEVEL) / (FULL_LEVEL - NOISE_LEVEL)));
    if (share > 0) differing += 1;
    const grey = 24 + 0.45 * (0.3 * a[i] + 0.59 * a[i + 1] + 0.11 * a[i + 2]);
    for (let channel = 0; channel < 3; channel += 1)
      pixels[i + channel] = grey + (COLOUR[channel] - grey) * Math.sqrt(share);
    pixels[i + 3] = 255;
  }
  return { pixels: out, share: common ? differing / common : 0 };
}

// For each channel, the linear map that gives the second picture the mean and standard deviation of the first.
function toneCurve(a, b) {
  return [0, 1, 2].map((channel) => {
    let n = 0;
    let sumA = 0;
    let sumB = 0;
    let squaresA = 0;
    let squaresB = 0;
    for (let i = channel; i < a.length; i += 4) {
      const alpha = i - channel + 3;
      if (a[alpha] < 255 || b[alpha] < 255) continue;
      n += 1;
      sumA += a[i];
      sumB += b[i];
      squaresA += a[i] * a[i];
      squaresB += b[i] * b[i];
    }
    const spread = (sum, squares) => Math.sqrt(Math.max(1, squares / n - (sum / n) ** 2));
    const gain = n ? spread(sumA, squaresA) / spread(sumB, squaresB) : 1;
    return { gain, shift: n ? sumA / n - (gain * sumB) / n : 0 };
  });
}
