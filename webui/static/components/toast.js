// Short notices that come and go; screen readers are told them too.

const place = document.querySelector("[data-toasts]");
const SHOWN_MS = 4500;

// `action` is [label, what to do]: a way back, for as long as the notice is there.
export function toast(text, tone = "good", action = null) {
  const notice = document.createElement("p");
  notice.className = `toast ${tone}`;
  notice.textContent = text;
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    [button.textContent] = action;
    button.addEventListener("click", () => { notice.remove(); action[1](); });
    notice.append(" ", button);
  }
  place.append(notice);
  setTimeout(() => notice.remove(), action ? 2 * SHOWN_MS : SHOWN_MS);
}
