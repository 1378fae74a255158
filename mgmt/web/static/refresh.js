// Keeps the overview fresh: fetches its changing part every two seconds and
// exchanges what differs. Without this script the page works the same, by
// reloading it.
"use strict";

const every = 2000; // ms
const live = document.getElementById("live");
const lost = document.getElementById("lost");
const fresh = document.getElementById("fresh");
let paused = false;
let timer = 0;

// busy says whether the reader is selecting text in this part. It is exchanged
// later.
function busy(part) {
  const s = document.getSelection();
  return s && !s.isCollapsed && s.anchorNode && part.contains(s.anchorNode);
}

// keepFocus gives the keyboard back to the element at the same place.
const focusable = "a[href], button, summary, [tabindex]";
function keepFocus(from, to, focused) {
  const at = [...from.querySelectorAll(focusable)].indexOf(focused);
  const same = at < 0 ? null : to.querySelectorAll(focusable)[at];
  if (same) same.focus({ preventScroll: true });
}

// keepOpen carries over which details the reader has opened and how far lists
// are scrolled.
function keepOpen(from, to) {
  for (const d of from.querySelectorAll("details[open]")) {
    const same = d.id && to.querySelector("#" + CSS.escape(d.id));
    if (same) same.open = true;
  }
}

const scrolled = ".scroll, pre.bytes";
function keepScroll(from, to) {
  const old = from.querySelectorAll(scrolled);
  to.querySelectorAll(scrolled).forEach((n, i) => {
    if (old[i]) { n.scrollTop = old[i].scrollTop; n.scrollLeft = old[i].scrollLeft; }
  });
}

const shown = new Map(); // id → markup as it was fetched

function exchange(html) {
  const doc = new DOMParser().parseFromString(html, "text/html");
  for (const part of [...doc.body.children]) {
    const old = document.getElementById(part.id);
    const markup = part.outerHTML;
    if (!old || shown.get(part.id) === markup || busy(old)) continue;
    shown.set(part.id, markup);
    const next = document.importNode(part, true);
    keepOpen(old, next);
    const focused = document.activeElement;
    old.replaceWith(next);
    keepScroll(old, next);
    keepFocus(old, next, focused);
  }
}

function say(text) {
  lost.hidden = !text;
  if (lost.textContent !== text) lost.textContent = text;
}

async function refresh() {
  try {
    const r = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (r.status === 401) {
      say("The session has ended. What stands here is no longer kept up to date: reload the page to sign in again.");
      return;
    }
    if (!r.ok) throw new Error(r.status);
    exchange(await r.text());
    say("");
  } catch {
    say("The box does not answer; what stands here is out of date. Trying again.");
  }
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, every);
}

const button = document.createElement("button");
button.type = "button";
button.className = "plain";
function label() {
  button.textContent = paused ? "Resume refreshing" : "Pause refreshing";
}
button.addEventListener("click", () => { paused = !paused; label(); schedule(); });
label();

if (live && fresh) {
  fresh.append(button);
  document.addEventListener("visibilitychange", schedule);
  schedule();
}
