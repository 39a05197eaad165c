// Puts the parts of the page that the session has drawn again in their places. What comes from others in them was
// escaped where it was drawn.
"use strict";

const head = document.getElementById("head");
const main = document.querySelector("main");
const connection = document.getElementById("connection");

// What a reader has opened and scrolled stays so.
function redraw(element, html) {
  const opened = [...element.querySelectorAll("details")].map(details => details.open);
  const scrolled = [...element.querySelectorAll(".scrolled")].map(one => [one.scrollTop, one.scrollLeft]);
  element.innerHTML = html;
  element.querySelectorAll("details").forEach((details, index) => { details.open = opened[index] === true; });
  element.querySelectorAll(".scrolled").forEach((one, index) => {
    if (scrolled[index]) [one.scrollTop, one.scrollLeft] = scrolled[index];
  });
}

function place(id) {
  const found = document.getElementById("part-" + id);
  if (found) return found;
  const made = document.createElement("div");
  made.id = "part-" + id;
  return made;
}

function update({ title, order, parts }) {
  document.title = title;
  const kept = new Set(order.map(id => "part-" + id));
  for (const part of [...head.children, ...main.children]) if (!kept.has(part.id)) part.remove();
  let before = null;
  for (const id of order) {
    const element = place(id);
    if (id === "header") {
      if (element.parentElement !== head) head.append(element);
    } else {
      const next = before === null ? main.firstElementChild : before.nextElementSibling;
      if (next !== element) main.insertBefore(element, next);
      before = element;
    }
    if (Object.hasOwn(parts, id)) redraw(element, parts[id]);
  }
  document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn || 0) + 1);
}

// The server sends something every 15 s at least. A connection that broke without a word is silent for longer.
const MAX_SILENCE = 45000;
const RETRY_DELAY = 2000;

function follow() {
  const events = new EventSource("/events");
  let silence = null;
  const leave = () => {
    clearTimeout(silence);
    events.close();
  };
  const lost = () => {
    connection.textContent = "The connection to the session is lost, and what is shown is the last that came from it. Trying again.";
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => { leave(); lost(); follow(); }, MAX_SILENCE);
  };
  events.addEventListener("open", () => {
    heard();
    connection.textContent = "This page follows the session.";
  });
  events.addEventListener("alive", heard);
  events.addEventListener("parts", event => {
    heard();
    update(JSON.parse(event.data));
  });
  events.addEventListener("over", event => {
    leave();
    connection.textContent = event.data;
  });
  events.addEventListener("error", () => {
    lost();
    // The browser tries again by itself, except after an answer that is no stream: too many viewers, a missing token.
    if (events.readyState === EventSource.CLOSED) {
      leave();
      setTimeout(follow, RETRY_DELAY);
    }
  });
  heard();
}

follow();
