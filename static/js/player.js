/* Films: cards that play under the pointer, and the keys of a generation's own page. */
(() => {
  "use strict";
  const { $, $$, on, dressers } = window.studio;

  const started = (film) =>
    !film.paused ||
    (film.currentTime > 0 && !film.ended) ||
    [document.pictureInPictureElement, document.fullscreenElement, document.activeElement].includes(film);
  const watched = (root) => Boolean(root?.querySelectorAll) && $$("video", root).some(started);

  // --- a glance: a card's film plays muted while the pointer or the focus rests on it

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

  // --- watching

  const watch = (film) => {
    if (film === glanced) take();
    leave();
    film.controls = true;
    const button = $("[data-play]", film.parentElement);
    if (button) button.hidden = true;
    for (const other of $$("video")) if (other !== film && document.pictureInPictureElement !== other) other.pause();
  };
  on("click", (event) => {
    const button = event.target.closest?.("[data-play]");
    const film = button && $("video", button.parentElement);
    if (!film) return;
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

  // --- a generation's own page

  const theFilm = () => $("#generation-detail video");
  let frame = 1 / 24; // seconds; measured while it plays
  let last = null;
  const measure = (_, shown) => {
    const passed = last ? shown.mediaTime - last.mediaTime : 0;
    if (passed > 0 && passed < 0.1 && shown.presentedFrames === last.presentedFrames + 1) frame = passed;
    last = shown;
    if (!theFilm()?.paused) theFilm().requestVideoFrameCallback?.(measure);
  };
  on("playing", ({ target }) => target === theFilm() && target.requestVideoFrameCallback?.(measure), true);

  const go = (film, at) => (film.currentTime = Math.min(Math.max(0, at), film.duration || 0));
  const step = (film, by) => {
    film.pause();
    go(film, (Math.floor(film.currentTime / frame + 0.01) + by + 0.5) * frame); // its middle: on its edge is either
  };
  const repeat = (film) => {
    film.loop = !film.loop;
    $("[data-repeat]").ariaPressed = film.loop;
  };
  const KEYS = {
    " ": (film) => (film.paused ? film.play() : film.pause()),
    ArrowLeft: (film) => go(film, film.currentTime - 1),
    ArrowRight: (film) => go(film, film.currentTime + 1),
    ",": (film) => step(film, -1),
    ".": (film) => step(film, 1),
    l: repeat,
    f: (film) => (document.fullscreenElement ? document.exitFullscreen() : film.requestFullscreen()),
  };
  on("keydown", (event) => {
    const { key, target } = event;
    const film = theFilm();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !$("#generation-detail")) return;
    if (target.closest("input, textarea, select, dialog")) return;
    const beside = { j: "older", k: "newer" }[key];
    if (beside) $(`[data-action=${beside}]`)?.click();
    if (!film || !KEYS[key] || (key === " " && target.closest("a, button, summary"))) return;
    event.preventDefault();
    KEYS[key](film);
  });
  on("click", ({ target }) => target.closest?.("[data-repeat]") && repeat(theFilm()));

  const cut = () => {
    const form = $("form[data-cut]");
    const at = theFilm()?.currentTime;
    if (!form || at === undefined) return;
    form.elements.at.value = at.toFixed(3);
    $("output", form).value = `${Math.floor(at / 60)}:${(at % 60).toFixed(2).padStart(5, "0")}`;
  };
  for (const type of ["timeupdate", "seeked", "submit"]) on(type, cut, true);

  Object.assign(window.studio, { watched });
})();
