/* What forms and links can't do by themselves. Everything here may fail to load, and the studio still works. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, handle, options) => document.addEventListener(type, handle, options);
  const say = document.body.dataset;
  const language = document.documentElement.lang || undefined;

  const announce = (words) => {
    const region = $("#announce");
    if (region) region.textContent = words;
  };

  /* --- toasts -------------------------------------------------------------------------------- */

  const toast = (words, link) => {
    const region = $("#toasts");
    if (!region || $$("p", region).some((shown) => shown.dataset.words === words)) return;
    const box = document.createElement("div");
    const text = document.createElement("p");
    const close = document.createElement("button");
    box.className = "toast";
    text.dataset.words = words;
    text.textContent = words;
    if (link) text.append(" ", Object.assign(document.createElement("a"), link));
    Object.assign(close, { type: "button", className: "plain", textContent: "×", ariaLabel: say.sayClose });
    close.addEventListener("click", () => box.remove());
    box.append(text, close);
    // A dialog is above everything else on the page: what is said meanwhile is said in there.
    ($("dialog[open], [popover]:popover-open") || region).append(box);
  };
  const clearToasts = () => $$(".toast").forEach((box) => box.remove());

  /* --- times --------------------------------------------------------------------------------- */

  const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

  const relative = (seconds) => {
    if (seconds < 45) return ago.format(0, "second");
    if (seconds < 3600) return ago.format(-Math.max(1, Math.round(seconds / 60)), "minute");
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
      if (!time.title) time.title = exact.format(at);
    }
  };
  setInterval(() => document.hidden || tell(document), 30_000);

  /* --- films --------------------------------------------------------------------------------- */

  const started = (film) =>
    !film.paused ||
    (film.currentTime > 0 && !film.ended) ||
    document.pictureInPictureElement === film ||
    document.fullscreenElement === film ||
    film === document.activeElement;
  const watched = (root) => Boolean(root && root.querySelectorAll) && $$("video", root).some(started);

  const dress = (root) => {
    // Quiet until it is wanted: a picture with one button in place of a row of controls.
    for (const button of $$("[data-play]", root)) {
      const film = $("video", button.parentElement);
      if (!film || started(film)) continue;
      film.controls = false;
      button.hidden = false;
    }
  };
  on("click", (event) => {
    const button = event.target.closest?.("[data-play]");
    const film = button && $("video", button.parentElement);
    if (!film) return;
    film.controls = true;
    film.focus({ preventScroll: true });
    film.play().catch(() => {});
  });
  on(
    "play",
    (event) => {
      const film = event.target;
      film.controls = true;
      const button = $("[data-play]", film.parentElement);
      if (button) button.hidden = true;
      for (const other of $$("video")) if (other !== film && document.pictureInPictureElement !== other) other.pause();
    },
    true,
  );

  /* --- the form: prompt, frames, conflicts ----------------------------------------------------- */

  const measure = (prompt) => {
    const count = $("[data-count]", prompt.form);
    if (count) {
      const most = Number(count.dataset.max);
      const length = [...prompt.value].length;
      const number = (n) => n.toLocaleString(language);
      const over = length > most;
      count.textContent = `${number(length)} / ${number(most)}`;
      if (over) count.textContent += `: ${count.dataset.over.replace("%s", number(length - most))}`;
      count.classList.toggle("over", over);
    }
    if (!CSS.supports("field-sizing", "content")) {
      prompt.style.height = "auto";
      prompt.style.height = `${prompt.scrollHeight + 2}px`;
    }
  };

  const parts = (well) => ({
    file: $("input[type=file]", well),
    link: $("input[type=url]", well),
    box: $(".well", well),
    picture: $(".well-picture", well),
    name: $("[data-well-name]", well),
    remove: $("[data-well-remove]", well),
  });
  const filled = (well) => Boolean(well && (parts(well).file.files.length || parts(well).link.value.trim()));

  const show = (well) => {
    const { file, link, box, picture, name, remove } = parts(well);
    const chosen = file.files[0];
    if (picture.src) URL.revokeObjectURL(picture.src);
    picture.removeAttribute("src");
    picture.hidden = true;
    box.classList.remove("pictured");
    box.classList.toggle("filled", filled(well));
    remove.hidden = !filled(well);
    name.textContent = chosen ? chosen.name : link.value.trim().replace(/^https?:\/\//, "").slice(0, 60);
    if (chosen) {
      picture.onload = () => {
        picture.hidden = false;
        box.classList.add("pictured");
      };
      picture.src = URL.createObjectURL(chosen); // what the browser can't show (HEIC) keeps its name
    }
    conflict(well.closest("form"));
  };
  const put = (well, image) => {
    const { file, link } = parts(well);
    const list = new DataTransfer();
    list.items.add(image);
    file.files = list.files;
    link.value = "";
    show(well);
    announce(`${say.sayChosen} ${image.name}`);
  };
  const conflict = (form) => {
    const words = form && $("[data-conflict]", form);
    if (!words) return;
    const end = $("[name=end_image]", form)?.closest("[data-well]");
    words.hidden = !($("[data-loop]", form)?.checked && filled(end));
  };
  const images = (transfer) => [...(transfer?.files || [])].filter((file) => file.type.startsWith("image/"));
  const fill = (form, list) => {
    const wells = $$("[data-well]", form);
    for (const image of list.slice(0, wells.length)) {
      put(wells.find((well) => !filled(well)) || wells[wells.length - 1], image);
    }
  };
  const formAt = (target) =>
    target?.closest?.("form[data-studio]") || $("dialog[open] form[data-studio]") || $("form[data-studio]");

  on("input", (event) => {
    const field = event.target;
    if ("prompt" in field.dataset) measure(field);
    if ("loop" in field.dataset) conflict(field.form);
    const well = field.closest("[data-well]");
    if (!well) return;
    const { file, link } = parts(well);
    if (field === link && link.value.trim()) file.value = "";
    if (field === file && file.files.length) {
      link.value = "";
      announce(`${say.sayChosen} ${file.files[0].name}`);
    }
    show(well);
  });
  on("click", (event) => {
    const well = event.target.closest?.("[data-well-remove]")?.closest("[data-well]");
    if (!well) return;
    const { file, link } = parts(well);
    file.value = "";
    link.value = "";
    show(well);
    file.focus();
    announce(say.sayRemoved);
  });
  on("paste", (event) => {
    const list = images(event.clipboardData);
    const form = formAt(event.target);
    if (!list.length || !form || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    const well = event.target.closest?.("[data-well]");
    if (well) put(well, list[0]);
    else fill(form, list);
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    on(type, (event) => {
      if (![...(event.dataTransfer?.types || [])].includes("Files")) return;
      const well = event.target.closest?.("[data-well]");
      well && $(".well", well).classList.toggle("over", type === "dragover");
      const form = formAt(event.target);
      if (!form || type === "dragleave") return;
      event.preventDefault(); // beside a well the browser would leave the page to show the file
      if (type !== "drop") return;
      const list = images(event.dataTransfer);
      if (well && list.length) put(well, list[0]);
      else fill(form, list);
    });
  }
  on("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = event.target.closest?.("form[data-studio]");
      if (form) {
        event.preventDefault();
        form.requestSubmit();
      }
    }
    const menu = event.key === "Escape" && $("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });
  on("click", (event) => {
    const menu = $("details.menu[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });

  const prepare = (root) => {
    if (!root?.querySelectorAll) return;
    tell(root);
    dress(root);
    $$("[data-prompt]", root).forEach(measure);
    $$("[data-well]", root).forEach(show);
    $$("form[data-studio]", root).forEach(conflict);
    $$("[data-copy]", root).forEach((button) => (button.hidden = false));
  };

  /* --- plain forms: ask, and send once --------------------------------------------------------- */

  on("submit", (event) => {
    const form = event.target;
    if (form.hasAttribute("hx-post") && window.htmx) return;
    if (form.dataset.sent) return event.preventDefault();
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
    if (form.method === "post") {
      form.dataset.sent = "1";
      $$("[type=submit]", form).forEach((button) => button.setAttribute("aria-disabled", "true"));
    }
  });
  addEventListener("pageshow", () => {
    for (const form of $$("form[data-sent]")) {
      delete form.dataset.sent;
      $$("[type=submit]", form).forEach((button) => button.removeAttribute("aria-disabled"));
    }
    prepare(document.body); // Back brings the fields' values back, not what hangs on them
  });

  /* --- copying --------------------------------------------------------------------------------- */

  on("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    const from = button && document.getElementById(button.dataset.copy);
    if (!from) return;
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch {
      getSelection().selectAllChildren(from); // over plain http there is no clipboard: the last step is the user's
      if (!document.execCommand("copy")) return;
    }
    announce(say.sayCopied);
    const use = $("use", button);
    const drawing = use.getAttribute("href");
    if (drawing.endsWith("#check")) return;
    use.setAttribute("href", drawing.replace(/#.*/, "#check"));
    setTimeout(() => use.setAttribute("href", drawing), 1500);
  });

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
  let kept = null; // what a form held before it was swapped for one with errors, or for a fresh one
  let focus = null; // where the keyboard was in a card that is swapped

  const remember = (form) => {
    const value = (name) => form.elements[name]?.value;
    kept = {
      files: $$("input[type=file]", form).map((input) => [input.name, input.files[0]]),
      aspect_ratio: value("aspect_ratio"),
      timeout: value("timeout"),
      enhancement: form.elements.enhancement?.checked,
    };
  };
  const recall = (form) => {
    if (!kept) return;
    if ("invalid" in form.dataset) {
      for (const [name, file] of kept.files) {
        const input = $(`input[name=${name}]`, form);
        if (file && input) put(input.closest("[data-well]"), file);
      }
      $("[aria-invalid=true], .notice.error", form)?.focus();
    } else {
      const shape = $$("[name=aspect_ratio]", form).find((radio) => radio.value === kept.aspect_ratio);
      if (shape) shape.checked = true;
      if (kept.timeout) form.elements.timeout.value = kept.timeout;
      form.elements.enhancement.checked = kept.enhancement;
    }
    kept = null;
  };

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

  prepare(document.body);
})();
