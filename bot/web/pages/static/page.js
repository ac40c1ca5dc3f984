// Shows a running job as it goes on, and copies the command that applies its diff.
"use strict";

const POLL_MS = 2000;
const MAX_POLL_MS = 30000;
let waitMs = POLL_MS;
let shownTag = null;

function live() {
  return document.getElementById("live");
}

function openParts(root) {
  return new Map([...root.querySelectorAll("details[id]")].map((part) => [part.id, part.open]));
}

function offerCopy() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    };
  }
}

function noteLive() {
  const note = document.getElementById("live-note");
  if (note) note.textContent = "This page follows the job.";
}

async function follow() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const tag = answer.headers.get("ETag");
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = next.getElementById("live");
      if (found && (tag === null || tag !== shownTag)) {
        shownTag = tag;
        const wasOpen = openParts(live());
        for (const part of found.querySelectorAll("details[id]")) {
          if (wasOpen.has(part.id)) part.open = wasOpen.get(part.id);
        }
        const focused = document.activeElement && document.activeElement.id;
        live().replaceWith(found);
        document.title = next.title;
        if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
        offerCopy();
        noteLive();
      }
      waitMs = POLL_MS;
    } else {
      waitMs = Math.min(2 * waitMs, MAX_POLL_MS);
    }
  } catch {
    waitMs = Math.min(2 * waitMs, MAX_POLL_MS);
  }
  if (live().dataset.final !== "yes") setTimeout(follow, document.hidden ? MAX_POLL_MS : waitMs);
}

offerCopy();
if (live() && live().dataset.final !== "yes") {
  noteLive();
  setTimeout(follow, POLL_MS);
}
