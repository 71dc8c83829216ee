// Short notices that come and go; screen readers are told them too.

const place = document.querySelector("[data-toasts]");
const SHOWN_MS = 4500;

export function toast(text, tone = "good") {
  const notice = document.createElement("p");
  notice.className = `toast ${tone}`;
  notice.textContent = text;
  place.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}
