/* The frame wells: a picture that is dropped, pasted, picked, given by its address or taken from one's own frames,
 and what the chosen shape will cut off it. */
const { $, $$, on, onClick, say, announce, dressers } = window.studio;

const parts = (well) => ({
  file: $("input[type=file]", well),
  link: $("input[type=url]", well),
  kept: $("[data-well-kept]", well),
  box: $(".well", well),
  picture: $(".well-picture", well),
  cut: $("[data-cut]", well),
  note: $("[data-cut-note]", well),
  name: $("[data-well-name]", well),
  remove: $("[data-well-remove]", well),
});
const holds = (kept) => Boolean(kept?.checked && kept.value);
const filled = (well) => {
  if (!well) return false;
  const { file, link, kept } = parts(well);
  return Boolean(file.files.length || link.value.trim() || holds(kept));
};
const changed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

// --- what a well shows

const SAME = 0.03; // shapes that differ by less lose nothing that one could see
const cut = (well) => {
  const { box, picture, cut: window_, note } = parts(well);
  const form = well.closest("form");
  const shape = $("[name=aspect_ratio]:checked", form)?.value;
  const [, width, height] = /(\d+)\D(\d+)/.exec(shape || form.dataset.ratio || "") || [];
  const own = picture.naturalWidth / picture.naturalHeight;
  const loses = !picture.hidden && Math.abs(Math.log(width / height / own)) > SAME;
  box.style.setProperty("--picture", own || 1);
  box.style.setProperty("--cut", width / height || 1);
  window_.hidden = note.hidden = !loses;
  note.textContent = loses ? note.dataset.words.replace("%s", shape) : "";
};

const shown = new WeakMap(); // what each picture shows: a file, or the address of a kept frame
const show = (well) => {
  const { file, link, kept, box, picture, name, remove } = parts(well);
  const chosen = file.files[0];
  const what = chosen || (holds(kept) && kept.dataset.url) || "";
  box.classList.toggle("filled", filled(well));
  remove.hidden = !filled(well);
  name.textContent =
    chosen?.name || (what ? kept.dataset.name : link.value.trim().replace(/^https?:\/\//, "").slice(0, 60));
  if ((shown.get(picture) || "") !== what) {
    if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
    shown.set(picture, what);
    picture.hidden = true;
    box.classList.remove("pictured");
    if (what) picture.src = chosen ? URL.createObjectURL(chosen) : what;
    else picture.removeAttribute("src"); // what the browser can't show (HEIC) keeps its name
  }
  cut(well);
};
on(
  "load",
  ({ target }) => {
    const well = target.matches?.(".well-picture") && target.closest("[data-well]");
    if (!well) return;
    target.hidden = false;
    $(".well", well).classList.add("pictured");
    cut(well);
  },
  true,
);

// --- filling and emptying it: one way at a time

on("input", ({ target }) => {
  if (target.name === "aspect_ratio") $$("[data-well]", target.form).forEach(cut);
  const well = target.closest("[data-well]");
  if (!well) return;
  const { file, link, kept, name } = parts(well);
  const used = target === file ? file.files.length : target === link ? link.value.trim() : target.checked;
  if (used) {
    if (target !== file) file.value = "";
    if (target !== link) link.value = "";
    if (target !== kept && kept) kept.checked = false;
  }
  show(well);
  if (used && target !== link) announce(`${say.sayChosen} ${name.textContent}`);
});
const put = (well, image) => {
  const { file } = parts(well);
  const list = new DataTransfer();
  list.items.add(image);
  file.files = list.files;
  changed(file);
};
const keep = (well, id, url) => {
  const { kept } = parts(well);
  kept.value = id;
  kept.dataset.url = url;
  kept.checked = true;
  changed(kept);
};
onClick("[data-well-remove]", (button) => {
  const well = button.closest("[data-well]");
  const { file, link, kept } = parts(well);
  file.value = link.value = "";
  if (kept) kept.checked = false;
  changed(file);
  file.focus();
  announce(say.sayRemoved);
});

// --- dropping and pasting

const images = (transfer) => [...(transfer?.files || [])].filter((file) => file.type.startsWith("image/"));
const fill = (form, list) => {
  const wells = $$("[data-well]", form);
  for (const image of list.slice(0, wells.length)) {
    put(wells.find((well) => !filled(well)) || wells[wells.length - 1], image);
  }
};
const take = (event, transfer) => {
  const target = event.target;
  const well = target.closest?.("[data-well]");
  const form = target.closest?.("form[data-studio]") || $("dialog[open] form[data-studio]") || $("form[data-studio]");
  const list = images(transfer);
  if (well && list.length) put(well, list[0]);
  else if (form) fill(form, list);
};

on("paste", (event) => {
  if (!images(event.clipboardData).length || event.clipboardData.getData("text/plain")) return;
  event.preventDefault();
  take(event, event.clipboardData);
});
for (const type of ["dragover", "dragleave", "drop"]) {
  on(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.target.closest?.("[data-well] .well")?.classList.toggle("over", type === "dragover");
    if (type !== "dragleave" && $("form[data-studio]")) event.preventDefault(); // or the browser leaves the page
    if (type === "drop") take(event, event.dataTransfer);
  });
}

// --- from one's own frames

onClick("[data-picker] [data-kept-frame]", (choice, event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choice.closest("dialog").close();
  const { keptFrame, side } = choice.dataset;
  const well = $(`[name=${side}_frame]`, choice.closest("form")).closest("[data-well]");
  keep(well, keptFrame, $("img", choice).getAttribute("src"));
});
on("htmx:afterSwap", ({ target }) => {
  const picker = target.closest?.("[data-picker]");
  if (picker && !picker.open) picker.showModal();
});

dressers.push((root) => $$("[data-well]", root).forEach(show));
Object.assign(window.studio, { filled, put, changed });
