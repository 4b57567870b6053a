// Keeps the token of this tab, fills it into forms, copies commands, and shows a page anew while a run goes.
"use strict";

const KEY = "segpipe-token";

function keepToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = sessionStorage.getItem(KEY);
  if (!token) return;
  for (const field of document.querySelectorAll("input[name=token]")) field.value = token;
  const form = document.querySelector("form[data-token-form]");
  if (form && !document.querySelector("[role=alert]")) form.submit();
}

function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}

// What a person has opened or scrolled stays so.
function keepState(before, after) {
  for (const opened of before.querySelectorAll("details[id]")) {
    const same = after.querySelector(`#${CSS.escape(opened.id)}`);
    if (same) same.open = opened.open;
  }
}

function replaceLive(page) {
  for (const before of document.querySelectorAll("[data-live][id]")) {
    const after = page.getElementById(before.id);
    if (!after) continue;
    const plain = after.cloneNode(true);
    keepState(before, after);
    if ((before.dataset.shown ?? before.innerHTML) === plain.innerHTML) continue;
    const focused = document.activeElement;
    const place = before.contains(focused) ? [...before.querySelectorAll("a, button, summary, pre")].indexOf(focused) : -1;
    const scrolled = [...before.querySelectorAll("pre")].map((text) => text.scrollTop);
    before.className = after.className;
    before.replaceChildren(...after.childNodes);
    before.dataset.shown = plain.innerHTML;
    before.querySelectorAll("pre").forEach((text, index) => (text.scrollTop = scrolled[index] ?? 0));
    if (place >= 0) before.querySelectorAll("a, button, summary, pre")[place]?.focus({ preventScroll: true });
  }
}

async function look() {
  if (document.hidden) return true;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return true;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  replaceLive(page);
  document.title = page.title;
  return "poll" in page.body.dataset;
}

async function keepLooking(seconds) {
  for (let goesOn = true; goesOn; ) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    try {
      goesOn = await look();
      document.body.classList.remove("offline");
    } catch {
      document.body.classList.add("offline"); // The dashboard has ended, or is being restarted.
    }
  }
}

keepToken();
offerCopies(document);
if (document.body.dataset.poll) keepLooking(Number(document.body.dataset.poll));
