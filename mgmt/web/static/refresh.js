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

// busy says whether the reader is selecting text in this part, or a range of a
// chart. It is exchanged later.
function busy(part) {
  if (part.querySelector("[data-busy]")) return true;
  const s = document.getSelection();
  return s && !s.isCollapsed && s.anchorNode && part.contains(s.anchorNode);
}

// focusAt is at which place within a part the keyboard is; -1: not in it.
const focusable = "a[href], button, summary, [tabindex]";
function focusAt(part) {
  return [...part.querySelectorAll(focusable)].indexOf(document.activeElement);
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
    const focus = focusAt(old);
    document.dispatchEvent(new CustomEvent("exchange", { detail: { from: old, to: next } })); // for charts
    old.replaceWith(next);
    keepScroll(old, next);
    if (focus >= 0) next.querySelectorAll(focusable)[focus]?.focus({ preventScroll: true });
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
