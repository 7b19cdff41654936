/* The forms that submit a generation: the prompt, the frame wells, and what does not go together. */
(() => {
  "use strict";
  const { $, $$, on, say, announce, dressers } = window.studio;
  const language = document.documentElement.lang || undefined;

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
  });

  /* --- what a swap takes away -------------------------------------------------------------------- */

  let kept = null; // what a form held before it was swapped for one with errors, or for a fresh one
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

  dressers.push((root) => {
    $$("[data-prompt]", root).forEach(measure);
    $$("[data-well]", root).forEach(show);
    $$("form[data-studio]", root).forEach(conflict);
  });
  Object.assign(window.studio, { remember, recall });
  window.studio.prepare(document.body);
})();
