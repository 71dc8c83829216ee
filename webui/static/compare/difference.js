// PURE: two aligned pictures, as RGBA pixels of one size -> the first in grey, with the differences in colour.

// The difference of the channel that differs most, in levels of 255: up to NOISE_LEVEL it is noise, from FULL_LEVEL on
// it is fully coloured.
const NOISE_LEVEL = 18;
const FULL_LEVEL = 90;
const COLOUR = [255, 64, 129];
// Pixels further than this many levels from the first tone curve were drawn or moved.
const FAR = 40;
const SAME = Float64Array.from({ length: 256 }, (_, level) => level);

// `evenTones` leaves out what a change of tone explains, by a curve from each picture to the other. Returns the
// pixels, and the share of the common area that differs; outside it they are transparent.
export function difference(first, second, evenTones = false) {
  const a = first.data;
  const b = second.data;
  const out = new ImageData(first.width, first.height);
  const pixels = out.data;
  const forth = evenTones ? toneCurves(a, b) : null;
  const back = evenTones ? toneCurves(b, a) : null;
  let common = 0;
  let differing = 0;
  for (let i = 0; i < a.length; i += 4) {
    if (a[i + 3] < 255 || b[i + 3] < 255) continue;
    common += 1;
    let most = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      const [here, there] = [a[i + channel], b[i + channel]];
      const left = evenTones
        ? Math.min(Math.abs(forth[channel][here] - there), Math.abs(back[channel][there] - here))
        : Math.abs(here - there);
      most = Math.max(most, left);
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

// For each channel, the level of the second picture for each of the 256 levels of the first: the least squares of a
// curve of second degree, cut off at black and white as the levels themselves are. A curve with so few parameters
// follows brightness, contrast and gamma, and nothing that is drawn into one of the pictures. What is cut off in either
// picture does not determine the curve, and pixels far from it are left out the second time.
function toneCurves(a, b) {
  return [0, 1, 2].map((channel) => fitCurve(a, b, channel, fitCurve(a, b, channel, SAME, 255), FAR));
}

// Fits what is added to each level, from the pixels at most `far` from the curve `known`. The coefficients are
// slightly regularised, so that a picture of one level has a curve too.
function fitCurve(a, b, channel, known, far) {
  const powers = new Float64Array(5);
  const added = new Float64Array(3);
  for (let i = channel; i < a.length; i += 4) {
    const alpha = i - channel + 3;
    if (a[alpha] < 255 || b[alpha] < 255 || isCutOff(a[i]) || isCutOff(b[i])) continue;
    if (Math.abs(known[a[i]] - b[i]) > far) continue;
    let power = 1;
    for (let k = 0; k < 5; k += 1) {
      powers[k] += power;
      if (k < 3) added[k] += power * (b[i] - a[i]);
      power *= a[i] / 255;
    }
  }
  const least = 1e-9 + 1e-6 * powers[0];
  const rows = [0, 1, 2].map((k) => [0, 1, 2].map((l) => powers[k + l] + (k === l ? least : 0)));
  const [c0, c1, c2] = solved(rows, added);
  return SAME.map((level) => Math.min(255, Math.max(0, level + c0 + (c1 * level) / 255 + c2 * (level / 255) ** 2)));
}

const isCutOff = (level) => level < 3 || level > 252;

// Three equations by Cramer's rule.
function solved(rows, right) {
  const determinant = ([[a, b, c], [d, e, f], [g, i, j]]) =>
    a * (e * j - f * i) - b * (d * j - f * g) + c * (d * i - e * g);
  const whole = determinant(rows);
  return [0, 1, 2].map(
    (column) => determinant(rows.map((row, k) => row.map((value, l) => (l === column ? right[k] : value)))) / whole,
  );
}
