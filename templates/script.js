// Comfort only: the page reads without it. Finds and sorts Services, copies commands, opens what a link points into.
"use strict";

const words = document.currentScript.dataset;

// --- dark and light ---
const theme = document.createElement("button");
theme.type = "button";
theme.className = "theme";
theme.setAttribute("aria-label", words.themeLabel);
const wantsDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (wantsDark.matches ? "dark" : "light")) === "dark";
const label = () => { theme.textContent = isDark() ? words.light : words.dark; };
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  label();
});
wantsDark.addEventListener("change", label);
label();
const parts = document.createElement("li");
parts.className = "theme";
parts.append(theme);
document.querySelector("nav ul").append(parts);

// --- Services: find and sort ---
const tables = [...document.querySelectorAll(".matrix")];
const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
const services = rows.filter((row) => row.id);
const form = document.getElementById("filter");
const texts = new Map();
const checks = new Map();

function textOf(row) {
  if (!texts.has(row)) texts.set(row, row.cells[0].textContent.toLowerCase());
  return texts.get(row);
}

function nameOf(row) {
  const head = row.cells[0];
  return (head.querySelector(".name") ?? [...head.childNodes].find((node) => node.nodeType === 3 && node.data.trim())).textContent.trim();
}

function checksOf(row) {
  if (!checks.has(row)) checks.set(row, [...row.querySelectorAll("a")].map((link) => link.hash.slice(1).split("/")[0]));
  return checks.get(row);
}

function filter() {
  const asked = form.elements;
  const text = asked.text.value.trim().toLowerCase();
  const verdicts = new Set([...form.querySelectorAll(":checked")].map((box) => box.value));
  for (const row of rows) {
    row.hidden = !(
      verdicts.has(row.className) &&
      textOf(row).includes(text) &&
      (!asked.namespace.value || nameOf(row).startsWith(`${asked.namespace.value}/`)) &&
      (!asked.check.value || checksOf(row).includes(asked.check.value))
    );
  }
  const shown = services.filter((row) => !row.hidden).length;
  const narrowed = shown < services.length;
  form.querySelector("output").textContent = narrowed
    ? words.shown.replace("{shown}", shown).replace("{total}", services.length)
    : "";
  for (const folded of document.querySelectorAll(".folded")) {
    if (narrowed) folded.open = folded.querySelector("tbody tr:not([hidden])") !== null;
  }
}

const GRAVITY = ["f", "w", "q", "", "n"];
const inOrder = new Map(rows.map((row, number) => [row, number]));

function sort(table, column, descending) {
  const key = (row) => (column === "" ? inOrder.get(row) : column === 0 ? nameOf(row) : GRAVITY.indexOf(row.cells[column].className));
  const keyed = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  const compare = ([a, x], [b, y]) => (typeof a === "string" ? a.localeCompare(b) : a - b) || inOrder.get(x) - inOrder.get(y);
  keyed.sort(compare);
  if (descending) keyed.reverse();
  table.tBodies[0].append(...keyed.map(([, row]) => row));
  for (const [number, head] of [...table.tHead.rows[0].cells].entries()) {
    if (number === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

if (form) {
  let pending = 0;
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("input", (event) => {
    if (event.target.name === "sort") {
      const column = event.target.value === "" ? "" : Number(event.target.value);
      for (const table of tables) if (table.matches(".stations")) sort(table, column, false);
      return;
    }
    clearTimeout(pending);
    pending = setTimeout(filter, 120);
  });
  for (const link of document.querySelectorAll("[data-verdict]")) {
    link.addEventListener("click", () => {
      for (const box of form.querySelectorAll("[name=verdict]")) box.checked = box.value === link.dataset.verdict;
      filter();
    });
  }
}

for (const table of tables) {
  for (const [number, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = words.sort.replace("{column}", head.textContent);
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, number, head.getAttribute("aria-sort") === "ascending"));
    head.append(button);
  }
}

// --- commands ---
for (const block of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.copy;
  button.setAttribute("aria-label", words.copyLabel);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").innerText);
      button.textContent = words.copied;
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = words.press;
    }
    setTimeout(() => { button.textContent = words.copy; }, 2000);
  });
  block.append(button);
}

// --- links into what is folded ---
function reveal() {
  let element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = element;
  for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
if (location.hash) reveal();
