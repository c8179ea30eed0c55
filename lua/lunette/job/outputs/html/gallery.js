// gallery.js - the grid: which records are shown, a page of them at a time, and the keys.
"use strict";

(async () => {
  const PAGE = 120;                         // whole rows of 2, 3, 4, 5, 6, 8 or 10
  const $ = id => document.getElementById(id);
  const grid = $("grid");
  const number = n => n.toLocaleString("en");

  let about, found, page = 0;               // found: numbers of the records that match; undefined: all match
  let searched, turn = 0;                   // records looked at so far; changes with what is looked for
  let drawn = [];                           // numbers of the records in the grid
  let drawing = Promise.resolve();          // pages are drawn one after the other

  const count = () => found ? found.length : about.records;
  const at = k => found ? found[k] : k;
  const last_page = () => Math.max(0, Math.ceil(count() / PAGE) - 1);

  function say(text) { if ($("note").textContent !== text) $("note").textContent = text; }

  function describe() {
    if (about.records === 0) return say("No pictures yet. While the job runs, reload the page to see more.");
    if (!found) return say("");
    if (searched < about.records) return say(`${number(found.length)} found, ${number(searched)} of ${number(about.records)} searched`);
    say(found.length === 0 ? "Nothing matches." : `${number(found.length)} of ${number(about.records)}`);
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    made.className = name;
    if (text !== undefined) { made.textContent = text; made.dir = "auto"; }
    return made;
  }

  // The thumbnail; where there is none or it is broken the original; where that cannot be shown either the empty frame.
  function picture(record) {
    const sources = [record.thumbnail, record.href].filter(source => source);
    const frame = element("span", "frame");
    if (sources.length === 0) return frame;
    const image = document.createElement("img");
    image.alt = record.text ?? "";
    image.loading = "lazy";
    image.decoding = "async";
    image.onerror = () => { if (sources.length > 0) image.src = sources.shift(); else image.remove(); };
    image.src = sources.shift();
    frame.append(image);
    return frame;
  }

  function card(record, k) {
    const item = document.createElement("li"), button = element("button", "card");
    button.type = "button";
    button.setAttribute("aria-label", `${caption_of(record)}, ${visible(record.file)}`);
    button.onclick = () => view(k);
    button.append(picture(record));
    if (record.error !== undefined) {
      button.classList.add("failed");
      button.append(element("span", "stage", `Failed: ${record.stage}`), element("span", "text", record.error));
    } else {
      button.append(element("span", "text", record.text));
    }
    const name = element("span", "file", visible(record.file.replace(/^.*\/(?=.)/s, "")));
    name.title = visible(record.file);
    button.append(name);
    item.append(button);
    return item;
  }

  // Brings the grid to the page; cards that stand there already stay.
  async function draw_page() {
    const mine = turn, first = page * PAGE;
    const wanted = Array.from({ length: Math.max(0, Math.min(PAGE, count() - first)) }, (_, k) => at(first + k));
    const list = await Promise.all(wanted.map(i => records.get(i)));
    if (mine !== turn) return;
    const kept = drawn.every((i, k) => i === wanted[k]) ? drawn.length : 0;
    if (kept === 0) grid.replaceChildren();
    grid.append(...list.slice(kept).map((record, k) => card(record, first + kept + k)));
    drawn = wanted;
    $("pages").hidden = last_page() === 0;
    $("page").value = page + 1;
    $("page").max = last_page() + 1;
    $("last").textContent = number(last_page() + 1);
    $("before").disabled = page === 0;
    $("after").disabled = page === last_page();
    describe();
  }

  const unreadable = error => say(`${error.message}. Reload the page if the job is running.`);
  const draw = () => drawing = drawing.then(draw_page).catch(unreadable);

  async function go(to) {
    page = Math.min(Math.max(0, to), last_page());
    await draw();
    scrollTo(0, 0);
  }

  // Looks through the chunks in order and shows what is found as it is found.
  async function look() {
    const mine = ++turn, matches = records.matcher($("query").value, $("controls").elements.show.value);
    found = matches && [];
    searched = 0;
    page = 0;
    if (!matches) return go(0);
    let next = 0;                           // time to draw again
    for (let c = 0; c < records.chunk_count(); c++) {
      const list = await records.need(c);
      if (mine !== turn) return;
      list.forEach((record, k) => { if (matches(record)) found.push(searched + k); });
      searched += list.length;
      if (performance.now() < next) continue;
      await draw();
      if (mine !== turn) return;
      next = performance.now() + 150;
    }
    await draw();
  }

  async function view(k) {
    let record;
    try { record = await records.get(at(k)); } catch (error) { return unreadable(error); }
    viewer.open(record, k === 0, k === count() - 1,
      by => { if (k + by >= 0 && k + by < count()) view(k + by); },
      async () => {
        if (Math.floor(k / PAGE) !== page) await go(Math.floor(k / PAGE));
        grid.children[k % PAGE]?.firstElementChild.focus();
      });
  }

  // Arrow keys go from card to card.
  grid.onkeydown = event => {
    const cards = [...grid.querySelectorAll(".card")], from = cards.indexOf(document.activeElement);
    const columns = cards.filter(card => card.offsetTop === cards[0].offsetTop).length;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (from < 0 || !by || !cards[from + by] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    cards[from + by].focus();
  };

  document.addEventListener("keydown", event => {
    const typing = event.target.matches("input[type=search], input[type=number]");
    if (event.key === "/" && !typing && !$("viewer").open) {
      event.preventDefault();
      $("query").focus();
    } else if (event.key === "Escape" && event.target === $("query")) {
      $("query").value = "";
      look().catch(unreadable);
    }
  });

  $("controls").onsubmit = event => event.preventDefault();
  $("controls").oninput = () => look().catch(unreadable);
  $("before").onclick = () => go(page - 1);
  $("after").onclick = () => go(page + 1);
  $("page").onchange = () => go((parseInt($("page").value) || 1) - 1);

  try {
    about = await records.open();
  } catch (error) {
    return unreadable(error);
  }
  document.title = $("title").textContent = about.title;
  $("totals").textContent = `${number(about.records - about.failed)} captioned, ${number(about.failed)} failed`;
  await look();
})();
