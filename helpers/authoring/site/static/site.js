// What the pages do besides being read: languages that stay at a paragraph, two languages side by side,
// diagrams, and "/" for the search.
"use strict";

// What stands on a page, cell by cell: the cells' ids are the same in all languages.
const groups = (article) => {
  const found = [];
  const walk = (node) => {
    for (const child of node.children) {
      if (child.tagName === "SECTION") { walk(child); continue; }
      const opens = child.matches(".anchor[id], .cell[id], h1[id], h2[id], h3[id], h4[id]");
      if (opens || !found.length) found.push({ id: child.id, blocks: [] });
      found.at(-1).blocks.push(child);
    }
  };
  walk(article);
  return found;
};
const body = document.querySelector("[data-pagefind-body]");
const own = body ? groups(body) : [];
const bar = document.querySelector(".languages");

// The paragraph that is read, as "cell" or "cell:number".
const place = () => {
  const upper = bar.getBoundingClientRect().bottom + 20; // pixels from the top: there a reader reads
  let at = "";
  for (const group of own)
    group.blocks.forEach((block, number) => {
      const box = block.getBoundingClientRect();
      if (box.height && box.top <= upper) at = number ? `${group.id}:${number}` : group.id;
    });
  return window.scrollY > upper ? at : "";
};
const goTo = (hash) => {
  const [id, number] = decodeURIComponent(hash.slice(1)).split(":");
  const blocks = number && own.find((group) => group.id === id)?.blocks;
  const node = blocks ? blocks[Math.min(number, blocks.length - 1)] : id && document.getElementById(id);
  node?.closest?.("details:not([open])")?.setAttribute("open", "");
  node?.scrollIntoView?.();
};
for (const link of document.querySelectorAll(".languages a")) {
  const href = link.href;
  const follow = () => { link.href = `${href}${location.search}${place() && "#" + place()}`; };
  for (const event of ["click", "auxclick", "pointerenter", "focus"]) link.addEventListener(event, follow);
}
addEventListener("hashchange", () => goTo(location.hash));

// Side by side: the page in the other language is fetched, and each cell put beside its own.
const beside = async (lang) => {
  const link = document.querySelector(`.languages a[data-lang="${lang}"]`);
  const answer = await fetch(link.href.split(/[?#]/)[0]);
  const other = new DOMParser().parseFromString(await answer.text(), "text/html");
  const theirs = new Map(groups(other.querySelector("[data-pagefind-body]")).map((g) => [g.id, g.blocks]));
  const rows = own.map((group) => {
    const row = document.createElement("div");
    const [left, right] = [document.createElement("div"), document.createElement("div")];
    left.append(...group.blocks);
    right.append(...(theirs.get(group.id) ?? []));
    for (const node of right.querySelectorAll("[id]")) node.removeAttribute("id");
    for (const node of right.querySelectorAll("a[href]")) node.href = new URL(node.getAttribute("href"), link.href);
    for (const node of right.querySelectorAll("a.headerlink")) node.remove();
    right.lang = link.hreflang;
    row.className = "pair";
    // A program that is the same in both languages stands there once.
    const text = (side) => side.querySelector(".cell")?.textContent.replace(/\s+/g, "");
    row.append(left, ...(text(left) && text(left) === text(right) ? [] : [right]));
    return row;
  });
  body.replaceChildren(...rows);
  document.body.classList.add("two-languages");
};
const choice = document.querySelector(".beside select");
if (choice) {
  const asked = new URLSearchParams(location.search).get("beside");
  if ([...choice.options].some((option) => option.value === asked)) choice.value = asked;
  choice.addEventListener("change", () => {
    const at = place();
    location.href = `${location.pathname}${choice.value && "?beside=" + choice.value}${at && "#" + at}`;
  });
}

const start = async () => {
  if (choice?.value) await beside(choice.value);
  if (location.hash) goTo(location.hash); // what is above it may have grown
  document.body.dataset.ready = "";
};
start();

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const field = document.querySelector(".search input, .sidebar-search");
  if (!field) return;
  event.preventDefault();
  field.focus();
});
