/* What pages, forms and links can't do by themselves: the base of the other scripts. None has to load: the studio works. */
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
    if (gone) document.getElementById(`generation-${gone[1]}`)?.remove();
  });
  addEventListener("pageshow", () => {
    for (const form of $$("form[data-sent]")) {
      delete form.dataset.sent;
      $$("[type=submit]", form).forEach((button) => (button.ariaDisabled = null));
    }
    prepare(document.body); // Back brings the fields' values back, not what hangs on them
  });

  dressers.push(tell, (root) => $$("[data-copy]", root).forEach((button) => (button.hidden = false)));
  window.studio = { $, $$, on, say, announce, toast, clearToasts, dressers, prepare };
})();
