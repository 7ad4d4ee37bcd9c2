// The search page: what is known of old lines and of messages first, then what Pagefind finds.
const said = JSON.parse(document.querySelector("#search-words").textContent);
const field = document.querySelector(".search input");
const status = document.querySelector("#search-status");
const [known, results] = [document.querySelector("#known"), document.querySelector("#results")];
const root = new URL(document.documentElement.dataset.content_root, location.href);
const MOST = 20; // results that are shown
const ENOUGH = 0.7; // share of a message's words that must be in what was pasted

// The words of a text; of Chinese, each pair of signs, since no space parts its words.
const words = (text) => {
  const found = new Set();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []) {
    const signs = word.match(/\p{Script=Han}+/gu) ?? [];
    for (const run of signs)
      for (let i = 0; i < Math.max(1, run.length - 1); i++) found.add(run.slice(i, i + 2));
    for (const rest of word.split(/\p{Script=Han}+/u)) if (rest) found.add(rest);
  }
  return found;
};
let table = null;
const recognised = async (asked) => {
  table ??= fetch(new URL("known.json", root)).then((answer) => answer.json())
    .then((rows) => rows.map(([text, href, place]) => ({ text, href, place, words: words(text) })));
  const wanted = words(asked);
  const scored = (await table).map((row) => {
    const both = [...row.words].filter((word) => wanted.has(word)).length;
    return { ...row, both, share: both / row.words.size };
  });
  return scored
    .filter((row) => row.share >= ENOUGH && (row.both > 2 || row.both === wanted.size))
    .sort((a, b) => b.both * b.share - a.both * a.share)
    .slice(0, 3);
};
const entry = (href, title, excerpt, more = []) => {
  const item = document.createElement("li");
  const link = Object.assign(document.createElement("a"), { href, textContent: title });
  const text = Object.assign(document.createElement("p"), { innerHTML: excerpt });
  item.append(link, text);
  for (const sub of more) {
    const below = Object.assign(document.createElement("p"), { className: "sub" });
    below.append(Object.assign(document.createElement("a"), { href: sub.url, textContent: sub.title }));
    item.append(below);
  }
  return item;
};
// In the index each Chinese sign is a word (see finish.py): what is asked for is a row of them.
const SIGNS = /(?<=\p{Script=Han})(?=\S)|(?<=\S)(?=\p{Script=Han})/gu;
const chinese = document.documentElement.lang.startsWith("zh");
const find = async (asked) => {
  if (!/\p{Script=Han}/u.test(asked)) return (await pagefind.search(asked)).results;
  const signs = asked.replace(SIGNS, " ");
  const ranked = (await pagefind.search(signs)).results;
  const rows = new Map((await pagefind.search(`"${signs}"`)).results.map((one) => [one.id, one]));
  return rows.size ? ranked.flatMap((one) => rows.get(one.id) ?? []) : ranked;
};
const closed = (text) => !chinese ? text : text
  .replace(/<\/mark> <mark>/g, " ")
  .replace(/(?<=[\p{Script=Han}，。、；：？！（）“”《》]|<mark>|<\/mark>) (?=[\p{Script=Han}，。、；：？！（）“”《》]|<mark>|<\/mark>)/gu, "");
const escaped = (text) => new Option(text).innerHTML;

let pagefind = null;
let last = 0;
const look = async () => {
  const asked = field.value.trim();
  const turn = ++last;
  history.replaceState(null, "", asked ? `?q=${encodeURIComponent(asked)}` : location.pathname);
  if (!asked) { known.replaceChildren(); results.replaceChildren(); status.textContent = ""; return; }
  if (location.protocol === "file:") { status.textContent = said.search_offline; return; }
  const first = await recognised(asked);
  if (!pagefind) {
    pagefind = await import(new URL("../pagefind/pagefind.js", root));
    // A title weighs more than how often a word is on a page.
    await pagefind.options({ excerptLength: chinese ? 70 : 30,
      ranking: { termFrequency: 0.4, pageLength: 0.2, termSaturation: 1.2 } });
  }
  const found = await find(asked);
  const shown = await Promise.all(found.slice(0, MOST).map((one) => one.data()));
  if (turn !== last) return;
  const title = document.createElement("h2");
  title.textContent = said.search_known;
  const list = document.createElement("ul");
  list.append(...first.map((row) => entry(new URL(row.href, root), row.place, escaped(row.text))));
  known.replaceChildren(...(first.length ? [title, list] : []));
  const lower = asked.toLowerCase();
  for (const one of shown) {
    one.meta.title = closed(one.meta.title);
    one.excerpt = closed(one.excerpt);
    for (const sub of one.sub_results) sub.title = closed(sub.title);
  }
  const titled = (one) => one.meta.title.toLowerCase().includes(lower);
  shown.sort((a, b) => titled(b) - titled(a)); // stable: the rest stays as Pagefind has it
  results.replaceChildren(...shown.map((one) => {
    const subs = one.sub_results.filter((sub) => sub.title !== one.meta.title)
      .sort((a, b) => b.locations.length - a.locations.length).slice(0, 3);
    return entry(one.url, one.meta.title, one.excerpt, subs);
  }));
  const count = found.length + first.length;
  status.textContent = count ? said.search_count.replace("{count}", found.length) : said.search_nothing;
  document.body.dataset.asked = asked;
};
field.value = new URLSearchParams(location.search).get("q") ?? "";
let soon;
field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(look, 150); });
field.form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
field.focus();
look();
