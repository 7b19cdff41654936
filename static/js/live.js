/* What htmx asks for and brings back: polls that rest, cards that are not disturbed, the extend dialog, errors. */
(() => {
  "use strict";
  const { $, $$, on, say, announce, toast, clearToasts, watched, dressers, prepare, remember, recall } = window.studio;

  /* --- htmx: what is asked ---------------------------------------------------------------------- */

  const SEEN_MOST = 50;
  const HIDDEN_EVERY = 15_000; // a tab in the background asks too, so that its title can tell, but rarely
  let misses = 0;
  let asked = 0;
  const quiet = (element) => Boolean(element?.matches?.("[data-quiet]"));
  // What asked: by the time of the answer, the event's own element may be one that took its place.
  const asker = (event) => event.detail.requestConfig?.elt || event.detail.elt;

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
    const element = event.detail.elt;
    if (!quiet(element)) return clearToasts();
    const idle = element.id === "poller" && !$("article [name=seen]");
    if (idle || (document.hidden && Date.now() - asked < HIDDEN_EVERY)) return event.preventDefault();
    asked = Date.now();
  });
  on("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "poller") return;
    const fields = event.detail.formData;
    const seen = fields.getAll("seen").filter(Boolean); // the poller's own empty one is there so that there is one
    fields.delete("seen"); // a request line must not grow without end
    seen.slice(0, SEEN_MOST).forEach((entry) => fields.append("seen", entry));
  });

  /* --- htmx: what comes back -------------------------------------------------------------------- */

  const waiting = new Map(); // what came for cards that are being watched, by the card's id
  let focus = null; // where the keyboard was in a card that is swapped

  on("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    if (xhr.responseURL && new URL(xhr.responseURL).pathname === say.login) {
      event.detail.shouldSwap = false;
      const back = encodeURIComponent(location.pathname + location.search);
      toast(say.saySignedOut, { href: `${say.login}?next=${back}`, textContent: say.saySignIn });
      return;
    }
    if (target.id === "generation-detail" && watched(target)) event.detail.shouldSwap = false;
    const form = asker(event).closest("form[data-studio]");
    if (form && event.detail.shouldSwap) remember(form);
    if (target.matches("article.card") && !xhr.responseText.trim()) {
      const next = target.nextElementSibling || target.previousElementSibling;
      setTimeout(() => ((next && $("a.caption", next)) || $("#main")).focus(), 50);
      announce(say.sayDeleted);
    }
  });
  on("htmx:oobBeforeSwap", (event) => {
    const card = event.detail.target;
    if (!card.matches?.("article[data-state]")) return;
    const fresh = event.detail.fragment.firstElementChild;
    if (open(card) && !open(fresh)) finished(fresh);
    waiting.delete(card.id);
    if (watched(card)) {
      event.detail.shouldSwap = false;
      waiting.set(card.id, fresh);
    } else if (card.contains(document.activeElement)) {
      focus = { id: card.id, action: document.activeElement.dataset.action };
    }
  });
  const settle = () => {
    for (const [id, fresh] of waiting) {
      const card = document.getElementById(id);
      if (card && watched(card)) continue;
      waiting.delete(id);
      if (!card || !fresh) continue;
      card.replaceWith(fresh);
      window.htmx.process(fresh);
      prepare(fresh);
    }
  };
  for (const type of ["ended", "pause", "leavepictureinpicture", "fullscreenchange", "focusout", "seeked"]) {
    on(type, () => waiting.size && setTimeout(settle), true);
  }

  on("htmx:afterSettle", (event) => {
    const dialog = $("#extend-dialog");
    const slot = dialog && $("#extend-slot", dialog);
    if (slot && event.detail.target === slot) {
      const form = $("form", slot);
      if (form && !dialog.open) {
        dialog.showModal();
        $("[data-prompt]", form).focus();
      }
      if (!form) dialog.close();
      else if ("invalid" in form.dataset) recall(form);
    }
    const film = $("#generation-detail > article");
    if (film && wasOpen && !open(film)) finished(film);
    wasOpen = open(film);
    if (focus) {
      const card = document.getElementById(focus.id);
      (card && (focus.action ? $(`[data-action=${focus.action}]`, card) : null) || $("a.caption", card || document))?.focus();
      focus = null;
    }
  });
  on("htmx:load", (event) => prepare(event.detail.elt)); // whatever came new into the page
  on("htmx:afterRequest", (event) => {
    const { successful, requestConfig } = event.detail;
    const elt = asker(event);
    if (successful && quiet(elt)) misses = 0;
    if (!successful || requestConfig.verb !== "post") return;
    const status = $("#status");
    if (status) window.htmx.trigger(status, "refresh");
    if (elt.id !== "composer") return;
    const form = $("#composer");
    if (!form || form === elt) return;
    const invalid = "invalid" in form.dataset;
    prepare(form);
    recall(form);
    if (invalid) return;
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

  /* --- what finishes: a toast, the tab's title, and a notification where that was asked for ------- */

  const open = (card) => Boolean(card) && !["completed", "failed"].includes(card.dataset.state);
  const title = document.title;
  let unseen = 0;
  let wasOpen = open($("#generation-detail > article"));
  const wanted = () => window.Notification?.permission === "granted" && localStorage.getItem("notify") === "yes";

  const finished = (card) => {
    const words = card.dataset.state === "completed" ? say.sayReady : say.sayFailed;
    const prompt = $(".caption, .film-prompt", card).textContent.trim().slice(0, 80);
    toast(`${words} ${prompt}`, { href: `#${card.id}`, textContent: say.sayShow }, true);
    document.title = `(${++unseen}) ${title}`;
    if (!wanted() || document.hasFocus()) return;
    try {
      const note = new Notification(words, { body: prompt, tag: card.id });
      note.onclick = () => {
        window.focus();
        document.getElementById(card.id)?.scrollIntoView({ block: "center" });
      };
    } catch {} // a phone wants a service worker for it: there the title has to do
  };
  const looked = () => {
    if (unseen && !document.hidden) document.title = title;
    if (!document.hidden) unseen = 0;
  };
  for (const type of ["pointermove", "keydown", "touchstart"]) on(type, looked, { passive: true });
  addEventListener("focus", looked);
  on("visibilitychange", () => {
    looked();
    const asker = !document.hidden && $("#poller, #generation-detail[hx-get]");
    if (asker) window.htmx.trigger(asker, "look");
  });

  const bell = $("[data-notify]");
  const ring = () => bell.setAttribute("aria-pressed", wanted());
  if (bell && window.Notification && window.isSecureContext) {
    bell.parentElement.hidden = false;
    ring();
    bell.addEventListener("click", async () => {
      if (wanted()) localStorage.removeItem("notify");
      else if ((await Notification.requestPermission()) === "granted") localStorage.setItem("notify", "yes");
      else toast(say.sayMute);
      ring();
    });
  }

  /* --- how far it is: honest, since nobody tells us; what is over the usual slows down ------------- */

  const USUAL = 150; // seconds, before the studio knows better
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  let told = null;
  let ahead = 0; // the server's clock before ours
  const progress = () => {
    const strip = $("[data-usual]");
    if (strip && strip !== told) ahead = strip.dataset.now - Date.now() / 1000;
    told = strip;
    const usual = Number(told?.dataset.usual) || USUAL;
    for (const beam of $$("[data-sent]")) {
      const past = Math.max(0, Date.now() / 1000 + ahead - beam.dataset.sent);
      const part = past < usual ? (0.8 * past) / usual : 1 - (0.2 * usual) / past;
      beam.style.setProperty("--part", part.toFixed(4));
      beam.setAttribute("aria-valuenow", Math.floor(part * 100));
      const words = past < usual ? say.sayWait : say.sayLong;
      $("[data-wait]", beam.parentElement).textContent = words
        .replace("{past}", clock(past))
        .replace("{usual}", clock(usual));
    }
  };
  dressers.push(progress);
  setInterval(() => document.hidden || progress(), 1000);

  /* --- Back: the pages that were there, and the place on them ------------------------------------- */

  const place = `place:${location.pathname}${location.search}`;
  const cards = () => $$("#cards > article").length;
  addEventListener("pagehide", () => {
    const card = document.activeElement?.closest("article")?.id;
    if ($("#cards")) sessionStorage.setItem(place, JSON.stringify({ count: cards(), top: scrollY, card }));
  });
  const before = JSON.parse(sessionStorage.getItem(place) || "null");
  if (before && $("#cards") && performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
    history.scrollRestoration = "manual";
    const refill = () => {
      const more = cards() < before.count && $("#cards > .more");
      if (more) return window.htmx.trigger(more, "click");
      document.removeEventListener("htmx:afterSettle", refill);
      document.getElementById(before.card)?.querySelector("a.caption").focus({ preventScroll: true });
      scrollTo(0, before.top);
      history.scrollRestoration = "auto";
    };
    on("htmx:afterSettle", refill);
    on("DOMContentLoaded", refill);
  }

  /* --- the extend dialog -------------------------------------------------------------------------- */

  on("click", (event) => {
    const dialog = event.target.closest?.("dialog");
    if (!dialog) return;
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  $("#extend-dialog")?.addEventListener("close", () => $("#extend-slot").replaceChildren());
  matchMedia("(min-width: 700px)").addEventListener?.("change", () => {
    const slate = $("#slate");
    if (slate?.matches(":popover-open")) slate.hidePopover();
  });
})();
