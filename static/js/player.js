/* Films: cards that play under the pointer, and the keys of a generation's own page. */
(() => {
  "use strict";
  const { $, $$, on, dressers } = window.studio;

  const started = (film) =>
    !film.paused ||
    (film.currentTime > 0 && !film.ended) ||
    document.pictureInPictureElement === film ||
    document.fullscreenElement === film ||
    film === document.activeElement;
  const watched = (root) => Boolean(root?.querySelectorAll) && $$("video", root).some(started);

  /* --- a glance: a card's film plays muted while the pointer or the focus rests on it ------------- */

  const MOMENT = 350;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let near = null; // the card
  let glanced = null; // its film, once it plays
  let timer = 0;

  const keep = () => {
    const film = glanced;
    glanced = null;
    film.muted = false;
    film.parentElement.classList.remove("glanced");
    return film;
  };
  const leave = () => {
    clearTimeout(timer);
    if (!glanced) return;
    const film = keep();
    film.pause();
    film.load(); // the poster again, and nothing more is fetched
  };
  const glance = () => {
    const film = near?.isConnected && $("video", near);
    if (!film || $$("video").some(started)) return;
    glanced = film;
    film.muted = true;
    film.parentElement.classList.add("glanced");
    film.play().catch(() => glanced === film && leave());
  };
  const approach = (card) => {
    if (card === near && (!card || card.isConnected)) return;
    leave();
    near = card;
    if (card && !still.matches && !navigator.connection?.saveData) timer = setTimeout(glance, MOMENT);
  };
  on("pointerover", (event) => event.pointerType !== "touch" && approach(event.target.closest(".card")));
  on("pointerout", (event) => event.relatedTarget || approach(null));
  on("focusin", (event) => event.target.matches(":focus-visible") && approach(event.target.closest(".card")));
  on("focusout", (event) => near && !near.contains(event.relatedTarget) && !near.matches(":hover") && approach(null));
  on("visibilitychange", () => document.hidden && approach(null));

  /* --- watching ----------------------------------------------------------------------------------- */

  const watch = (film) => {
    if (film === glanced) keep();
    else leave();
    film.controls = true;
    const button = $("[data-play]", film.parentElement);
    if (button) button.hidden = true;
    for (const other of $$("video")) if (other !== film && document.pictureInPictureElement !== other) other.pause();
  };
  dressers.push((root) => {
    // Quiet until it is wanted: a picture with one button in place of a row of controls.
    for (const button of $$("[data-play]", root)) {
      const film = $("video", button.parentElement);
      if (!film || started(film)) continue;
      film.controls = false;
      button.hidden = false;
    }
  });
  on("click", (event) => {
    const button = event.target.closest?.("[data-play]");
    const film = button && $("video", button.parentElement);
    if (!film) return;
    watch(film);
    film.focus({ preventScroll: true });
    film.play().catch(() => {});
  });
  on("play", (event) => event.target === glanced || watch(event.target), true);
  on("ended", (event) => event.target === glanced && glanced.play(), true);

  /* --- a generation's own page -------------------------------------------------------------------- */

  let frame = 1 / 24; // seconds; measured while it plays
  const measure = (film) => {
    let last = null;
    const look = (_, shown) => {
      const passed = last && shown.mediaTime - last.mediaTime;
      if (passed > 0 && passed < 0.1 && shown.presentedFrames === last.presentedFrames + 1) frame = passed;
      last = shown;
      if (film.isConnected) film.requestVideoFrameCallback(look);
    };
    if (!film.dataset.measured) film.requestVideoFrameCallback?.(look);
    film.dataset.measured = "";
  };
  const go = (film, at) => {
    film.currentTime = Math.min(Math.max(0, at), film.duration || 0);
  };
  // To the middle of a frame: a time on its edge may show either neighbour.
  const step = (film, by) => {
    film.pause();
    go(film, (Math.floor(film.currentTime / frame + 0.01) + by + 0.5) * frame);
  };
  const repeat = (film) => {
    film.loop = !film.loop;
    $("[data-repeat]").setAttribute("aria-pressed", film.loop);
  };
  const KEYS = {
    " ": (film) => (film.paused ? film.play().catch(() => {}) : film.pause()),
    arrowleft: (film) => go(film, film.currentTime - 1),
    arrowright: (film) => go(film, film.currentTime + 1),
    ",": (film) => step(film, -1),
    ".": (film) => step(film, 1),
    l: repeat,
    f: (film) => (document.fullscreenElement ? document.exitFullscreen() : film.requestFullscreen?.()),
  };
  const theFilm = () => $("#generation-detail .screen video");

  on("keydown", (event) => {
    const { target } = event;
    const key = event.key.toLowerCase();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !$("#generation-detail")) return;
    if (target.closest("input, textarea, select, dialog")) return;
    const beside = { j: "older", k: "newer" }[key];
    if (beside) return $(`[data-action=${beside}]`)?.click();
    const film = theFilm();
    if (!film || !KEYS[key] || (key === " " && target.closest("a, button, summary"))) return;
    event.preventDefault();
    KEYS[key](film);
  });
  on("click", (event) => event.target.closest?.("[data-repeat]") && theFilm() && repeat(theFilm()));

  const cut = () => {
    const form = $("[data-cut]");
    const film = theFilm();
    if (!form || !film) return;
    const at = film.currentTime;
    form.elements.at.value = at.toFixed(3);
    $("output", form).value = `${Math.floor(at / 60)}:${(at % 60).toFixed(2).padStart(5, "0")}`;
  };
  for (const type of ["timeupdate", "seeked", "pause"]) on(type, cut, true);
  on("submit", (event) => {
    if (!event.target.matches("[data-cut]")) return;
    theFilm()?.pause();
    cut();
  }, true);
  dressers.push((root) => root.querySelector("#generation-detail video") && measure(theFilm()));

  Object.assign(window.studio, { watched });
})();
