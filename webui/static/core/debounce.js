// Debouncing: many calls in a short time become one, after the last of them.

export function debounced(callback, delayMs) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(callback, delayMs, ...values);
  };
}
