// The REST client of the page: JSON requests and answers; every error answer is thrown as Refused.

export const API = "/api/v1";

// The service answers in the language of the page, whatever the browser prefers.
export const language = document.documentElement.lang;

export class Refused extends Error {
  constructor(status, { code, message, field, hint }) {
    super(message);
    Object.assign(this, { status, code, field, hint });
  }
}

async function ask(method, path, body, signal) {
  let answer;
  try {
    answer = await fetch(API + path, {
      method,
      signal,
      headers: { "Accept-Language": language, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { code: "unreachable", message: "" });
  }
  if (answer.status === 401) {
    location.assign("/login");
    throw new Refused(401, { code: "token_needed", message: "" });
  }
  if (answer.status === 204) return null;
  let data;
  try {
    data = await answer.json();
  } catch (error) {
    // The connection was cut within the answer.
    if (error.name === "AbortError") throw error;
    throw new Refused(answer.status, { code: "unreadable", message: answer.statusText });
  }
  if (!answer.ok) throw new Refused(answer.status, data.error);
  return data;
}

// An address with those parameters that have a value.
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return path + (text ? `?${text}` : "");
}

export const get = (path, query = {}, signal = undefined) => ask("GET", withQuery(path, query), undefined, signal);
export const post = (path, body = {}, signal = undefined) => ask("POST", path, body, signal);
export const put = (path, body) => ask("PUT", path, body);
export const patch = (path, body) => ask("PATCH", path, body);
export const remove = (path) => ask("DELETE", path);
