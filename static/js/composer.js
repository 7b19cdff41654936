/* The forms that submit a generation: the prompt and its draft, what does not go together, and sending. */
const { $, $$, byId, on, onClick, language, dressers, store, filled, put, changed } = window.studio;
const ours = (form) => Boolean(form?.matches?.("form[data-studio]"));
const formsIn = (root) => (ours(root) ? [root] : $$("form[data-studio]", root));

// --- the prompt, and what does not go together

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
const conflict = (form) => {
  const words = $("[data-conflict]", form);
  if (!words) return;
  const end = $("[name=end_image]", form)?.closest("[data-well]");
  words.hidden = !($("[data-loop]", form)?.checked && filled(end));
};

on("input", ({ target }) => {
  const form = target.form;
  if (!ours(form)) return;
  if ("prompt" in target.dataset) measure(target);
  conflict(form);
  save(form);
});
onClick("[data-idea]", (idea) => {
  const prompt = $("[data-prompt]", idea.closest("form"));
  prompt.value = idea.dataset.idea;
  changed(prompt);
  prompt.focus();
});
on("keydown", (event) => {
  const form = event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form;
  if (!ours(form)) return;
  event.preventDefault();
  form.requestSubmit();
});

// --- the draft: everything but files, until it is sent

const DRAFT = "draft:";
const drafts = (which) =>
  store("localStorage", (kept) => {
    for (const key of Object.keys(kept)) if (key.startsWith(DRAFT) && which(kept[key])) kept.removeItem(key);
  });
const keyOf = (form) => DRAFT + form.dataset.draft;

const save = (form, sent) => {
  const fields = {};
  for (const field of form.elements) {
    if (!field.name || /^(file|hidden|submit)$/.test(field.type)) continue;
    if (field.type !== "radio") {
      const own = field.checked && "wellKept" in field.dataset && [field.value, field.dataset.url];
      fields[field.name] = own || (field.type === "checkbox" ? field.checked : field.value);
    } else if (field.checked) fields[field.name] = field.value;
  }
  const draft = { to: form.action, on: location.search, sent, fields };
  store("localStorage", (kept) => kept.setItem(keyOf(form), JSON.stringify(draft)));
};
const restore = (form) => {
  const draft = store("localStorage", (kept) => JSON.parse(kept.getItem(keyOf(form))));
  if (!draft || draft.to !== form.action || "invalid" in form.dataset) return;
  // What the address fills in goes before the draft, unless the draft was made on it.
  const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
  const again = reloaded && draft.on === location.search;
  if (form.elements.prompt.defaultValue && !again) return;
  for (const [name, value] of Object.entries(draft.fields)) {
    const field = form.elements[name];
    const well = field?.closest?.("[data-well]");
    if (!field || (well && !again && $("[data-well-kept]", well)?.defaultChecked)) continue;
    if (field.type === "checkbox") {
      if (Array.isArray(value)) [field.value, field.dataset.url] = value;
      field.checked = Boolean(value);
    } else field.value = value;
    if (value && field.type === "url" && well) field.closest("details").open = true;
  }
};
const forget = (form) => {
  store("localStorage", (kept) => kept.removeItem(keyOf(form)));
  const address = new URL(location);
  for (const name of ["reuse", "start_frame", "end_frame"]) address.searchParams.delete(name);
  if (address.href !== location.href) history.replaceState(history.state, "", address);
};

// --- sending

let sent = ""; // the prompt as it was sent: somebody may go on typing
const tell = (form, part) => {
  const label = $("[data-send]", form);
  const bar = $("[data-upload]", form);
  const { idle, uploading, sending } = label.dataset;
  label.textContent = part < 1 ? uploading.replace("%s", Math.floor(100 * part)) : part ? sending : idle;
  bar.hidden = !(part < 1);
  bar.value = part || 0;
};
on("htmx:beforeSend", ({ detail: { elt: form } }) => {
  if (!ours(form)) return;
  sent = form.elements.prompt.value;
  tell(form, $$("input[type=file]", form).some((input) => input.files.length) ? 0 : 1);
});
on("htmx:xhr:progress", ({ target: form, detail: { lengthComputable, loaded, total } }) => {
  // Once all is up the line is hidden: what is told then is how the answer comes down.
  if (ours(form) && lengthComputable && !$("[data-upload]", form).hidden) tell(form, loaded / total);
});
on("htmx:afterRequest", ({ detail }) => {
  const { requestConfig, successful, xhr } = detail;
  const form = requestConfig?.elt;
  if (!ours(form) || requestConfig.verb !== "post") return;
  const now = byId(form.id);
  const swapped = successful && now !== form && !(now && "invalid" in now.dataset);
  if (swapped || xhr.getResponseHeader("HX-Redirect")) forget(form);
  else if (now === form) tell(form);
});
on("submit", ({ target: form }) => {
  if (form.action.endsWith("/logout/")) drafts(() => true); // nothing of ours stays on a computer that is shared
  if (ours(form) && !(form.hasAttribute("hx-post") && window.htmx)) save(form, true);
});

// --- what a swap takes away

let kept = null; // what a form held before it was swapped for one with errors, or for a fresh one
const remember = (form) => {
  const value = (name) => form.elements[name]?.value;
  kept = {
    files: $$("input[type=file]", form).map((input) => [input.name, input.files[0]]),
    prompt: value("prompt"),
    aspect_ratio: value("aspect_ratio"),
    timeout: value("timeout"),
    enhancement: form.elements.enhancement?.checked,
  };
};
const recall = (form) => {
  if (!kept) return;
  const { prompt, timeout, enhancement, aspect_ratio } = form.elements;
  if ("invalid" in form.dataset) {
    for (const [name, file] of kept.files) {
      const input = $(`input[name=${name}]`, form);
      if (file && input) put(input.closest("[data-well]"), file);
    }
    $("[aria-invalid=true], .notice.error", form)?.focus();
  } else {
    if (kept.aspect_ratio) aspect_ratio.value = kept.aspect_ratio;
    if (kept.timeout) timeout.value = kept.timeout;
    enhancement.checked = kept.enhancement;
  }
  if (kept.prompt !== sent) {
    prompt.value = kept.prompt;
    changed(prompt);
  }
  kept = null;
};

// --- what is left today, and a form that comes filled in

const restored = new WeakSet();
drafts((draft) => location.hash.startsWith("#generation-") && JSON.parse(draft).sent);
dressers.unshift((root) => {
  for (const form of formsIn(root)) {
    if (!restored.has(form)) restore(form);
    restored.add(form);
  }
});
dressers.push((root) => {
  $$("[data-prompt]", root).forEach(measure);
  formsIn(root).forEach(conflict);
  const words = $("#status [data-budget]");
  for (const place of $$("[data-budget-here]")) if (words) place.textContent = words.textContent.trim().replace(/\s+/g, " ");
});
Object.assign(window.studio, { remember, recall });
window.studio.prepare(document.body);

if (/[?&](reuse|(start|end)_frame)=/.test(location.search)) {
  const slate = $("#slate");
  if (matchMedia("(max-width: 699px)").matches) slate?.showPopover?.();
  $("[data-prompt]")?.focus();
}
