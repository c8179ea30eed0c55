// records.js - what the gallery shows.  index.js and the chunks call records.index() and records.chunk(); scripts, since a
// page of file:// may not fetch.  Nothing of a record is ever taken for HTML.
"use strict";

const records = (() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const chunks = [];            // number -> list of records, once loaded
  const loading = new Map();    // number -> promise of that list
  let about;

  function load(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = here + name;
      script.onload = () => { script.remove(); resolve(); };
      script.onerror = () => { script.remove(); reject(new Error(`${name} could not be read`)); };
      document.head.append(script);
    });
  }

  // A chunk may be newer than the index and hold more than the index counts.
  async function load_chunk(number) {
    await load(`${about.edition}/${String(number + 1).padStart(6, "0")}.js`);
    const list = chunks[number].slice(0, about.records - number * about.chunk);
    list.forEach(record => { if (record.thumbnail) record.thumbnail = `${here}${about.edition}/${record.thumbnail}`; });
    return chunks[number] = list;
  }

  // One letter for all its cases and forms: the upper case of "ß" is "SS", that of both small sigmas the same.
  const fold = text => text.normalize("NFKC").toUpperCase();

  function words_of(record) {
    const parts = [record.text, record.file, record.stage, record.error, ...(record.sequences ?? []).map(s => s.text)];
    return fold(parts.filter(part => part !== undefined).join("\n"));
  }

  return {
    index(value) { about = value; },
    chunk(number, list) { chunks[number] = list; },

    // -> promise of { title, edition, chunk, records, failed }
    async open() {
      await load("index.js");
      return about;
    },

    chunk_count: () => Math.ceil(about.records / about.chunk),

    // -> promise of the list of a chunk, counted from 0
    need(number) {
      if (!loading.has(number)) loading.set(number, load_chunk(number));
      return loading.get(number);
    },

    // -> promise of record i, counted from 0
    async get(i) {
      const list = await records.need(Math.floor(i / about.chunk));
      return list[i % about.chunk];
    },

    // -> function: record -> whether it is to be shown; undefined if all are
    matcher(query, show) {
      const words = fold(query).split(/\s+/).filter(word => word);
      if (words.length === 0 && show === "all") return undefined;
      return record => {
        if (show !== "all" && (record.error !== undefined) !== (show === "failed")) return false;
        if (words.length === 0) return true;
        record.words ??= words_of(record);
        return words.every(word => record.words.includes(word));
      };
    },
  };
})();

// Names may hold control characters: they are shown as their symbols.
const visible = name => name.replace(/[\0-\x1f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt())).replace(/\x7f/g, "\u2421");

const caption_of = record => record.error === undefined ? record.text : `Failed (${record.stage}): ${record.error}`;
