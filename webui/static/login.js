// The login: the token is exchanged for a cookie that scripts cannot read.

const form = document.querySelector("[data-log-in]");
const errorLine = document.querySelector("[data-error]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  errorLine.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: form.token.value.trim() }),
    });
    if (answer.ok) location.assign("/");
    else
      errorLine.textContent = { 401: form.dataset.wrong, 429: form.dataset.wait }[answer.status] ?? form.dataset.failed;
  } catch {
    errorLine.textContent = form.dataset.failed;
  }
  form.token.select();
});
