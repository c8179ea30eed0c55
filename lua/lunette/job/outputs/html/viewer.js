// viewer.js - one picture large, with all that is known of it.
"use strict";

const viewer = (() => {
  const $ = id => document.getElementById(id);
  const dialog = $("viewer"), picture = $("viewer-picture");
  let step, preload;

  function fact(name, value) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.append(value);
    $("viewer-facts").append(dt, dd);
  }

  function words(tag, text) {
    const element = document.createElement(tag);
    element.dir = "auto";
    element.textContent = text;
    return element;
  }

  function list_of(sequences) {
    const list = document.createElement("ol");
    for (const s of sequences) {
      const item = words("li", s.text);
      if (Number.isFinite(s.score)) item.append(" ", Object.assign(document.createElement("small"), { textContent: s.score.toFixed(3) }));
      list.append(item);
    }
    return list;
  }

  function show_picture(source) {
    picture.hidden = !source;
    $("viewer-missing").hidden = Boolean(source);
    if (source) picture.src = source; else picture.removeAttribute("src");
  }

  // The thumbnail until the original is there, and instead of one that the browser cannot show.
  function load_picture(record) {
    if (preload) preload.onload = preload.onerror = null;
    preload = undefined;
    show_picture(record.thumbnail);
    if (!record.href) return;
    preload = new Image();
    preload.onload = () => show_picture(record.href);
    preload.src = record.href;
  }

  picture.onerror = () => show_picture(undefined);
  $("viewer-before").onclick = () => step(-1);
  $("viewer-after").onclick = () => step(1);
  $("viewer-close").onclick = () => dialog.close();
  dialog.onclick = event => { if (event.target === dialog) dialog.close(); };
  dialog.onkeydown = event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(by);
  };

  return {
    // move(by): called to show the next picture or the one before; done(): when the viewer is closed
    open(record, first, last, move, done) {
      step = move;
      dialog.onclose = () => { load_picture({}); done(); };
      load_picture(record);
      picture.alt = record.text ?? "";
      $("viewer-text").textContent = caption_of(record);
      dialog.classList.toggle("failed", record.error !== undefined);
      $("viewer-facts").replaceChildren();
      fact("File", words("span", visible(record.file)));
      if (record.width) fact("Size", `${record.width} × ${record.height}`);
      if (Number.isFinite(record.score)) fact("Score", record.score.toFixed(3));
      if (record.sequences) fact("Sequences", list_of(record.sequences));
      $("viewer-link").parentNode.hidden = !record.href;
      if (record.href) $("viewer-link").href = record.href; else $("viewer-link").removeAttribute("href");
      $("viewer-before").disabled = first;
      $("viewer-after").disabled = last;
      if (!dialog.open) dialog.showModal();
    },
  };
})();
