// The REST interface, shown from its own OpenAPI document.

import { get } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { language, t } from "../core/text.js";

// The reference is generated from the code, in English, as openapi.json is.
const REFERENCE_LANGUAGE = "en";

export async function render(main, { signal }) {
  document.title = `${t("api.title")} · ${t("app.name")}`;
  const api = await get("/openapi.json", {}, signal);
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
  const tags = [...new Set(operations.flatMap(({ tags: [tag] }) => tag))];
  show(
    main,
    h(
      "header",
      { class: "page-head" },
      h(
        "div",
        {},
        h("h1", {}, t("api.title")),
        h(
          "p",
          { class: "quiet" },
          language === REFERENCE_LANGUAGE ? null : [t("api.in_english"), " "],
          h("span", { lang: REFERENCE_LANGUAGE }, marked(api.info.description)),
          " ",
          h("a", { href: "/api/v1/openapi.json", target: "_blank" }, "openapi.json"),
        ),
      ),
    ),
    tags.map((tag) =>
      h(
        "section",
        { class: "panel api", lang: REFERENCE_LANGUAGE },
        h("h2", {}, tag),
        operations
          .filter((operation) => operation.tags[0] === tag)
          .map((operation) => describe(operation, api.components.schemas)),
      ),
    ),
  );
}

function describe(operation, schemas) {
  const good = Object.entries(operation.responses).find(([status]) => status < 400) ?? [];
  const body = operation.requestBody?.content["application/json"]?.schema;
  return h(
    "details",
    {},
    h(
      "summary",
      {},
      h("b", { class: `method ${operation.method.toLowerCase()}` }, operation.method),
      h("code", {}, operation.path),
      h("span", {}, operation.summary),
    ),
    operation.parameters.length
      ? h(
          "table",
          {},
          h(
            "tbody",
            {},
            operation.parameters.map((parameter) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, h("code", {}, parameter.name)),
                h("td", {}, typeText(parameter.schema)),
                h("td", {}, parameter.description ?? ""),
              ),
            ),
          ),
        )
      : null,
    body ? [h("h3", {}, "Body"), h("pre", {}, shape(body, schemas, 0))] : null,
    h("h3", {}, `${good[0] ?? ""} ${good[1]?.description ?? ""}`),
    Object.entries(good[1]?.content ?? {})
      .slice(0, 1)
      .map(([type, { schema }]) =>
        schema ? h("pre", {}, shape(schema, schemas, 0)) : h("p", {}, h("code", {}, type)),
      ),
  );
}

// What is between backquotes, as OpenAPI has it, is code.
const marked = (text) => text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));

function typeText(schema) {
  const parts = [
    schema.type ?? "",
    schema.enum ? schema.enum.join(" | ") : "",
    schema.minimum !== undefined ? `≥ ${schema.minimum}` : "",
    schema.maximum !== undefined && schema.maximum < 2 ** 53 ? `≤ ${schema.maximum}` : "",
    schema.default !== undefined ? `= ${schema.default}` : "",
  ];
  return parts.filter(Boolean).join(" ");
}

// The JSON that a schema describes; references are followed up to four levels.
function shape(schema, schemas, depth) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return depth > 3 ? name : shape(schemas[name], schemas, depth + 1);
  }
  if (schema.oneOf ?? schema.anyOf)
    return (schema.oneOf ?? schema.anyOf).map((option) => shape(option, schemas, depth)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((option) => JSON.stringify(option)).join(" | ");
  if (schema.type === "array") return `[${shape(schema.items ?? {}, schemas, depth)}, …]`;
  if (schema.properties) {
    const inner = "  ".repeat(depth + 1);
    return `{\n${Object.entries(schema.properties)
      .map(([name, property]) => `${inner}"${name}": ${shape(property, schemas, depth + 1)}`)
      .join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  return schema.type ?? "…";
}
