/* What htmx asks for and brings back: polls that rest, cards that are not disturbed, the extend dialog, errors. */
(() => {
  "use strict";
  const { $, $$, on, say, announce, toast, clearToasts, watched, prepare, remember, recall } = window.studio;

  /* --- htmx: what is asked ---------------------------------------------------------------------- */

  const SEEN_MOST = 50;
  let misses = 0;
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
    if (document.hidden || (element.id === "poller" && !$("article [name=seen]"))) event.preventDefault();
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
    waiting.delete(card.id);
    if (watched(card)) {
      event.detail.shouldSwap = false;
      waiting.set(card.id, event.detail.fragment.firstElementChild);
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
    prepare(event.detail.elt);
    $$("#cards > .card").forEach((card) => prepare(card));
    if (focus) {
      const card = document.getElementById(focus.id);
      (card && (focus.action ? $(`[data-action=${focus.action}]`, card) : null) || $("a.caption", card || document))?.focus();
      focus = null;
    }
  });
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
