/* What htmx asks for and brings back, what is told of it, and where one was. */
const { $, $$, byId, on, onClick, say, announce, toast, clearToasts, watched, dressers, prepare, remember, recall, store } = window.studio;

// --- what is asked

const SEEN_MOST = 50;
const HIDDEN_EVERY = 15_000; // a tab in the background asks too, so that its title can tell, but rarely
let misses = 0;
let asked = 0;
const quiet = (element) => Boolean(element?.matches?.("[data-quiet]"));
// What asked: by the time of the answer, the event's own element may be one that took its place.
const asker = ({ detail }) => detail.requestConfig?.elt || detail.elt;

on(
  "click",
  (event) => {
    // A link that opens a form in place still opens in a new tab when asked to.
    const apart = event.ctrlKey || event.metaKey || event.shiftKey;
    if (apart && event.target.closest?.("a[hx-get]")) event.stopPropagation();
  },
  true,
);
on("htmx:beforeRequest", (event) => {
  const { elt } = event.detail;
  if (!quiet(elt)) return clearToasts();
  const idle = elt.id === "poller" && !$("article [name=seen]");
  if (idle || (document.hidden && Date.now() - asked < HIDDEN_EVERY)) return event.preventDefault();
  asked = Date.now();
});
on("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id !== "poller") return;
  const fields = detail.formData;
  const seen = fields.getAll("seen").filter(Boolean); // the poller's own empty one is there so that there is one
  fields.delete("seen"); // a request line must not grow without end
  seen.slice(0, SEEN_MOST).forEach((entry) => fields.append("seen", entry));
});

// --- what comes back

const waiting = new Map(); // what came for cards that are being watched, by the card's id
let focus = null; // where the keyboard was in a card that is swapped

on("htmx:beforeSwap", (event) => {
  const { detail } = event;
  const { target, xhr } = detail;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname === say.login) {
    detail.shouldSwap = false;
    const back = encodeURIComponent(location.pathname + location.search);
    return toast(say.saySignedOut, { href: `${say.login}?next=${back}`, textContent: say.saySignIn });
  }
  if (target.id === "generation-detail" && watched(target)) detail.shouldSwap = false;
  const form = asker(event).closest("form[data-studio]");
  if (form && detail.shouldSwap) remember(form);
  if (target.matches("article.card") && !xhr.responseText.trim()) {
    const next = target.nextElementSibling || target.previousElementSibling;
    setTimeout(() => ((next && $("a.caption", next)) || $("#main")).focus(), 50);
    announce(say.sayDeleted);
  }
});
on("htmx:oobBeforeSwap", ({ detail }) => {
  const card = detail.target;
  if (!card.matches?.("article[data-state]")) return;
  const fresh = detail.fragment.firstElementChild;
  if (open(card) && !open(fresh)) finished(fresh);
  waiting.delete(card.id);
  if (watched(card)) {
    detail.shouldSwap = false;
    waiting.set(card.id, fresh);
  } else if (card.contains(document.activeElement)) {
    focus = { id: card.id, action: document.activeElement.dataset.action };
  }
});
const settle = () => {
  for (const [id, fresh] of waiting) {
    const card = byId(id);
    if (card && watched(card)) continue;
    waiting.delete(id);
    if (!card) continue;
    card.replaceWith(fresh);
    window.htmx.process(fresh);
    prepare(fresh);
  }
};
for (const type of ["ended", "pause", "emptied", "leavepictureinpicture", "fullscreenchange", "focusout", "seeked"]) {
  on(type, () => waiting.size && setTimeout(settle), true);
}

on("htmx:load", ({ detail }) => prepare(detail.elt)); // whatever came new into the page
on("htmx:afterSettle", ({ detail }) => {
  const slot = $("#extend-slot");
  if (slot && detail.target === slot) {
    const dialog = slot.parentElement;
    const form = $("form", slot);
    if (form && !dialog.open) {
      dialog.showModal();
      $("[data-prompt]", form).focus();
    }
    if (!form) dialog.close();
    else if ("invalid" in form.dataset) recall(form);
  }
  const film = $("#generation-detail > article");
  if (wasOpen && film && !open(film)) finished(film);
  wasOpen = open(film);
  if (!focus) return;
  const card = byId(focus.id) || document;
  ((focus.action && $(`[data-action=${focus.action}]`, card)) || $("a.caption", card))?.focus();
  focus = null;
});
on("htmx:afterRequest", (event) => {
  const { successful, requestConfig } = event.detail;
  const elt = asker(event);
  if (successful && quiet(elt)) misses = 0;
  if (!successful || requestConfig.verb !== "post") return;
  if ($("#status")) window.htmx.trigger("#status", "refresh");
  const form = $("#composer");
  if (elt.id !== "composer" || !form || form === elt) return;
  prepare(form);
  recall(form);
  if ("invalid" in form.dataset) return;
  const slate = $("#slate");
  if (slate?.matches(":popover-open")) slate.hidePopover();
  else $("[data-prompt]", form).focus({ preventScroll: true });
});
for (const type of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  on(type, (event) => {
    const status = event.detail.xhr?.status;
    if (quiet(asker(event)) && ++misses < 3) return;
    toast(status ? say.sayError.replace("%s", status) : say.sayUnreachable);
  });
}
onClick("dialog", (dialog, event) => {
  if (event.target !== dialog && !event.target.closest("[data-close]")) return;
  event.preventDefault();
  dialog.close();
});
$("#extend-dialog")?.addEventListener("close", () => $("#extend-slot").replaceChildren());
matchMedia("(min-width: 700px)").addEventListener("change", () => {
  if ($("#slate:popover-open")) $("#slate").hidePopover();
});

// --- what finishes: a toast, the tab's title, and a notification where that was asked for

const open = (card) => Boolean(card) && !["completed", "failed"].includes(card.dataset.state);
const title = document.title;
let unseen = 0;
let wasOpen = open($("#generation-detail > article"));
const notify = (act) => store("localStorage", (kept) => kept[act]("notify", "1"));
const wanted = () => window.Notification?.permission === "granted" && Boolean(notify("getItem"));

const finished = (card) => {
  const words = card.dataset.state === "completed" ? say.sayReady : say.sayFailed;
  const body = $(".caption, .film-prompt", card).textContent.trim().slice(0, 80);
  toast(`${words} ${body}`, { href: `#${card.id}`, textContent: say.sayShow }, true);
  document.title = `(${++unseen}) ${title}`;
  if (!wanted() || document.hasFocus()) return;
  try {
    new Notification(words, { body, tag: card.id }).onclick = () => {
      window.focus();
      byId(card.id)?.scrollIntoView({ block: "center" });
    };
  } catch {} // a phone wants a service worker for it: there the title has to do
};
const looked = () => {
  if (!unseen || document.hidden) return;
  document.title = title;
  unseen = 0;
};
for (const type of ["pointermove", "pointerdown", "keydown"]) on(type, looked);
addEventListener("focus", looked);
on("visibilitychange", () => {
  looked();
  const poller = !document.hidden && $("#poller, #generation-detail[hx-get]");
  if (poller) window.htmx.trigger(poller, "look");
});

const bell = $("[data-notify]");
if (bell && window.Notification && window.isSecureContext) {
  const ring = () => (bell.ariaPressed = wanted());
  bell.parentElement.hidden = false;
  ring();
  bell.onclick = async () => {
    if (wanted()) notify("removeItem");
    else if ((await Notification.requestPermission()) === "granted") notify("setItem");
    else toast(say.sayMute);
    ring();
  };
}

// --- how far it is: nobody tells us, so it slows down the more it is over the usual

const USUAL = 150; // seconds, before the studio knows better
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
let strip = null;
let faster = 0; // the server's clock before ours
const progress = () => {
  const now = Date.now() / 1000;
  const told = $("[data-usual]");
  if (told && told !== strip) faster = told.dataset.now - now;
  strip = told;
  const usual = Number(told?.dataset.usual) || USUAL;
  for (const beam of $$(".beam[data-sent]")) {
    const past = Math.max(0, now + faster - beam.dataset.sent);
    const part = past < usual ? (0.8 * past) / usual : 1 - 0.2 * Math.sqrt(usual / past);
    const words = past < usual ? say.sayWait : say.sayLong;
    beam.style.setProperty("--part", part);
    beam.ariaValueNow = Math.floor(part * 100);
    $("[data-wait]", beam.parentElement).textContent = words
      .replace("{past}", clock(past))
      .replace("{usual}", clock(usual));
  }
};
dressers.push(progress);
setInterval(() => document.hidden || progress(), 1000);

// --- older ones come before their place is seen; after Back, all that were there, and the place

const near = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.isIntersecting && window.htmx.trigger(entry.target, "click")),
  { rootMargin: "1500px" },
);
dressers.push(() => $$(".more").forEach((more) => near.observe(more)));

const key = `place:${location}`;
const count = () => $$("#cards > article").length;
addEventListener("pagehide", () => {
  const card = document.activeElement?.closest("article")?.id;
  const place = { cards: count(), top: scrollY, card };
  store("sessionStorage", (kept) => kept.setItem(key, JSON.stringify(place)));
});
const before = store("sessionStorage", (kept) => JSON.parse(kept.getItem(key)));
const refill = () => {
  const more = count() < before.cards && $("#cards > .more");
  if (more) return window.htmx.trigger(more, "click");
  document.removeEventListener("htmx:afterSettle", refill);
  byId(before.card)?.querySelector("a.caption")?.focus({ preventScroll: true });
  scrollTo(0, before.top);
  history.scrollRestoration = "auto";
};
if (before?.cards && performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
  history.scrollRestoration = "manual";
  on("htmx:afterSettle", refill);
  on("DOMContentLoaded", refill);
}
