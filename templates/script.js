// Comfort only: the page reads without it. Finds Services, copies commands, opens what a link points into.
"use strict";

const rows = [...document.querySelectorAll(".matrix tbody tr")];
const form = document.getElementById("filter");

function filter() {
  const text = form.elements.text.value.trim().toLowerCase();
  const verdicts = new Set([...form.querySelectorAll(":checked")].map((box) => box.value));
  let shown = 0;
  for (const row of rows) {
    row.hidden = !(verdicts.has(row.className) && row.firstElementChild.textContent.toLowerCase().includes(text));
    shown += !row.hidden;
  }
  const narrowed = shown < rows.length;
  form.querySelector("output").textContent = narrowed ? `${shown} of ${rows.length} Services` : "";
  const folded = document.querySelector(".folded");
  if (folded && narrowed) folded.open = folded.querySelector("tbody tr:not([hidden])") !== null;
}

if (form) {
  let pending = 0;
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
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

for (const block of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").innerText);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.append(button);
}

function reveal() {
  let element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = element;
  for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
if (location.hash) reveal();
