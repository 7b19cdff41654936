/* A generation's own page: the keys, single frames, and the moment that a frame is cut at. */
const { $, on, onClick } = window.studio;

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
onClick("[data-repeat]", () => repeat(theFilm()));

const cut = () => {
  const form = $("form[data-cut]");
  const at = theFilm()?.currentTime;
  if (!form || at === undefined) return;
  form.elements.at.value = at.toFixed(3);
  $("output", form).value = `${Math.floor(at / 60)}:${(at % 60).toFixed(2).padStart(5, "0")}`;
};
for (const type of ["timeupdate", "seeked", "submit"]) on(type, cut, true);
