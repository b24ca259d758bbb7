"use strict";
// Sorts tables and switches texts. Without it the page shows everything, unsorted.
document.documentElement.classList.add("js");

function cellValue(row, index) {
  const cell = row.cells[index];
  const number = cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
  return Number.isNaN(number) ? cell.textContent.trim() : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return 1;
  if (typeof b === "number") return -1;
  return a.localeCompare(b, "en", { numeric: true });
}

function sortBy(table, heading) {
  const isNumeric = heading.classList.contains("n");
  const was = heading.getAttribute("aria-sort");
  const now = was === null ? (isNumeric ? "descending" : "ascending") : was === "ascending" ? "descending" : "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", now);
  const sign = now === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, value: cellValue(row, heading.cellIndex) }));
  rows.sort((a, b) => sign * compare(a.value, b.value));
  body.append(...rows.map((item) => item.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading));
  }
}

const chooseText = document.getElementById("choose-text");
const chooseBaseline = document.getElementById("choose-baseline");

function showChosen() {
  for (const sample of document.querySelectorAll(".sample")) {
    sample.hidden = sample.dataset.sample !== chooseText.value;
    for (const panel of sample.querySelectorAll("[data-baseline]")) {
      panel.hidden = panel.dataset.baseline !== chooseBaseline.value;
    }
  }
}

if (chooseText) {
  chooseText.addEventListener("change", showChosen);
  if (chooseBaseline) chooseBaseline.addEventListener("change", showChosen);
  showChosen();
}
