/* What pages, forms, links and films can't do by themselves. None of our scripts has to load: the studio works. */
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);
const on = (type, handle, options) => document.addEventListener(type, handle, options);
const onClick = (selector, act) =>
  on("click", (event) => {
    const found = event.target.closest?.(selector);
    if (found) act(found, event);
  });
const say = document.body.dataset;
const language = document.documentElement.lang || undefined;

const store = (where, act) => {
  try {
    return act(window[where]); // refused or full in private windows: then nothing is kept
  } catch {
    return null;
  }
};

const announce = (words) => {
  const region = $("#announce");
  if (region) region.textContent = words;
};

const dressers = []; // what is done to every part of the page, at first and after a swap
const prepare = (root) => root?.querySelectorAll && dressers.forEach((dresser) => dresser(root));

// --- toasts

const make = (name, values) => Object.assign(document.createElement(name), values);
const toast = (words, link, done) => {
  const region = $("#toasts");
  if (!region || $$("p", region).some((shown) => shown.textContent.startsWith(words))) return;
  const box = make("div", { className: done ? "toast done" : "toast" });
  const text = make("p", { textContent: words });
  if (link) text.append(" ", make("a", link));
  const close = make("button", { type: "button", className: "plain", textContent: "×", ariaLabel: say.sayClose });
  close.onclick = () => box.remove();
  box.append(text, close);
  // A dialog is above everything else on the page: what is said meanwhile is said in there.
  ($("dialog[open], [popover]:popover-open") || region).append(box);
  if (!done) return (box.role = "alert");
  announce(words);
  const fade = () => (document.hidden || box.matches(":hover, :focus-within") ? setTimeout(fade, 3000) : box.remove());
  setTimeout(fade, 9000); // the card stays, and says it too
};
const clearToasts = () => $$(".toast").forEach((box) => box.remove());

// --- times, in the viewer's own zone

const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const format = (dateStyle, timeStyle) => new Intl.DateTimeFormat(language, { dateStyle, timeStyle });
const day = format("medium");
const clock = format("medium", "medium");
const exact = format("full", "medium");

const relative = (seconds) => {
  if (seconds < 45) return ago.format(0, "second");
  if (seconds < 3600) return ago.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86400) return ago.format(-Math.round(seconds / 3600), "hour");
  return ago.format(-Math.round(seconds / 86400), "day");
};
const tell = (root) => {
  for (const time of $$("time[datetime]", root)) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    const seconds = (Date.now() - at) / 1000;
    const words =
      "clock" in time.dataset ? clock.format(at) : seconds < 7 * 86400 ? relative(seconds) : day.format(at);
    if (time.textContent !== words) time.textContent = words;
    time.title ||= exact.format(at);
  }
};
setInterval(() => document.hidden || tell(document), 30_000);

// --- the account's menu, and others that open

const closing = (event) => {
  for (const open of $$("details:is(.menu, .keys)[open]")) {
    if (event.key ? event.key !== "Escape" : open.contains(event.target)) continue;
    if (open.contains(document.activeElement)) $("summary", open).focus();
    open.open = false;
  }
};
on("click", closing);
on("keydown", closing);

// --- copying

onClick("[data-copy]", async (button) => {
  const from = byId(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(from.textContent);
  } catch {
    getSelection().selectAllChildren(from); // over plain http there is no clipboard: the last step is the user's
    if (!document.execCommand("copy")) return;
  }
  announce(say.sayCopied);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// --- plain forms: ask, and send once

on("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post") && window.htmx) return;
  const { sent, confirm: question } = form.dataset;
  if (sent || (question && !confirm(question))) return event.preventDefault();
  if (form.method !== "post") return;
  form.dataset.sent = "1";
  $$("[type=submit]", form).forEach((button) => (button.ariaDisabled = "true"));
});
on("htmx:afterRequest", (event) => {
  // A poll may have put a new card in the place of the one that was being deleted.
  const { successful, requestConfig } = event.detail;
  const gone = successful && /([0-9a-f-]{36})\/delete\/$/.exec(requestConfig.path);
  if (gone) byId(`generation-${gone[1]}`)?.remove();
});
addEventListener("pageshow", () => {
  for (const form of $$("form[data-sent]")) {
    delete form.dataset.sent;
    $$("[type=submit]", form).forEach((button) => (button.ariaDisabled = null));
  }
  prepare(document.body); // Back brings the fields' values back, not what hangs on them
});

// --- films: a card's plays muted while the pointer or the focus rests on it

const started = (film) =>
  !film.paused ||
  (film.currentTime > 0 && !film.ended) ||
  [document.pictureInPictureElement, document.fullscreenElement, document.activeElement].includes(film);
const watched = (root) => Boolean(root?.querySelectorAll) && $$("video", root).some(started);

const MOMENT = 350;
const still = matchMedia("(prefers-reduced-motion: reduce)");
let near = null; // the card
let glanced = null; // its film, once it plays
let timer = 0;

const take = () => {
  const film = glanced;
  glanced = null;
  film.muted = false;
  film.parentElement.classList.remove("glanced");
  return film;
};
const leave = () => {
  clearTimeout(timer);
  if (glanced) take().load(); // the poster again, and nothing more is fetched
};
const glance = () => {
  const film = $("video", near);
  if (!film || watched(document)) return;
  glanced = film;
  film.muted = true;
  film.parentElement.classList.add("glanced");
  film.play().catch(() => film === glanced && leave());
};
const approach = (card) => {
  if (card === near) return;
  leave();
  near = card;
  if (card && !still.matches && !navigator.connection?.saveData) timer = setTimeout(glance, MOMENT);
};
on("pointerover", (event) => event.pointerType !== "touch" && approach(event.target.closest(".card")));
on("pointerout", (event) => event.relatedTarget || approach(null));
on("focusin", (event) => event.target.matches(":focus-visible") && approach(event.target.closest(".card")));
on("focusout", (event) => near?.contains(event.relatedTarget) || near?.matches(":hover") || approach(null));
on("visibilitychange", () => document.hidden && approach(null));

// --- films that are watched: one at a time

const watch = (film) => {
  if (film === glanced) take();
  leave();
  film.controls = true;
  const button = $("[data-play]", film.parentElement);
  if (button) button.hidden = true;
  for (const other of $$("video")) if (other !== film && document.pictureInPictureElement !== other) other.pause();
};
onClick("[data-play]", (button) => {
  const film = $("video", button.parentElement);
  watch(film);
  film.focus({ preventScroll: true });
  film.play().catch(() => {});
});
on("play", ({ target }) => target === glanced || watch(target), true);
on("ended", ({ target }) => target === glanced && target.play(), true);
dressers.push((root) => {
  // Quiet until it is wanted: a picture with one button in place of a row of controls.
  for (const button of $$("[data-play]", root)) {
    const film = $("video", button.parentElement);
    if (!film || started(film)) continue;
    film.controls = false;
    button.hidden = false;
  }
});

dressers.push(tell, (root) => $$("[data-copy]", root).forEach((button) => (button.hidden = false)));
window.studio = { $, $$, byId, on, onClick, say, language, store, announce, toast, clearToasts, watched, dressers, prepare };
