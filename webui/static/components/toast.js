// Toasts: short messages that disappear on their own. Their element is a live region for screen readers.

const place = document.querySelector("[data-toasts]");
const SHOWN_MS = 4500;

// `action` is [label, function]: a button on the toast, usually Undo.
export function toast(text, tone = "good", action = null) {
  const message = document.createElement("p");
  message.className = `toast ${tone}`;
  message.textContent = text;
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    [button.textContent] = action;
    button.addEventListener("click", () => {
      message.remove();
      action[1]();
    });
    message.append(" ", button);
  }
  place.append(message);
  setTimeout(() => message.remove(), action ? 2 * SHOWN_MS : SHOWN_MS);
}
