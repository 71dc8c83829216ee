// The rules of `make check-js`. ESLint is run by npx: its recommended rules are found beside it, not beside this file.

const { realpathSync } = require("node:fs");
const { createRequire } = require("node:module");

const js = createRequire(realpathSync(process.argv[1]))("@eslint/js");

// What the modules use of the browser.
const BROWSER = [
  ..."AbortController AbortSignal BroadcastChannel CustomEvent DOMMatrix DOMPoint EventSource EventTarget".split(" "),
  ..."FormData Image ImageData IntersectionObserver KeyboardEvent Notification OffscreenCanvas".split(" "),
  ..."ResizeObserver URLSearchParams addEventListener cancelAnimationFrame clearInterval clearTimeout".split(" "),
  ..."devicePixelRatio dispatchEvent document fetch getComputedStyle history innerHeight isSecureContext".split(" "),
  ..."localStorage location matchMedia navigator prompt removeEventListener requestAnimationFrame scrollBy".split(" "),
  ..."scrollTo scrollX scrollY sessionStorage setInterval setTimeout".split(" "),
];
const MODULE_STATE = "State belongs to a function, or to core/store.js if several modules share it.";

module.exports = [
  js.configs.recommended,
  {
    files: ["webui/static/**/*.js"],
    languageOptions: { globals: Object.fromEntries(BROWSER.map((name) => [name, "readonly"])) },
    rules: {
      "max-len": ["error", { code: 120 }],
      "no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "prefer-const": "error",
      eqeqeq: "error",
      "no-restricted-syntax": [
        "error",
        { selector: "Program > VariableDeclaration[kind='let']", message: MODULE_STATE },
        { selector: "Program > ExportNamedDeclaration > VariableDeclaration[kind='let']", message: MODULE_STATE },
      ],
    },
  },
  {
    files: ["eslint.config.js"],
    languageOptions: {
      sourceType: "commonjs",
      globals: { process: "readonly", require: "readonly", module: "writable" },
    },
  },
];
