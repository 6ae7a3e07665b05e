// Dialogs, focus, busy forms, menus, copying and answers. Every page works without this file; it never asks the server for anything.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  const show = (dialog) => {
    dialog.closedBy = "any"; // a click beside it, too
    dialog.showModal();
  };
  // A dialog that the server sent open becomes a real one, over the page.
  const raiseDialogs = () => all("dialog[open]:not(:modal)").forEach((dialog) => {
    dialog.close();
    show(dialog);
  });

  // At load, autofocus has done it.
  const focusErrors = () => all("[data-testid=error-summary]").at(-1)?.focus();

  const rest = (form) => {
    all("[data-busy-now]", form).concat(form).forEach((part) => {
      part.removeAttribute("aria-busy");
      if (part.hasAttribute("data-busy-now")) part.disabled = false;
      // Only what this file wrote is taken back: the server may have sent another amount meanwhile.
      if (part.dataset.restingText && part.textContent === part.dataset.busyText) part.textContent = part.dataset.restingText;
      delete part.dataset.restingText;
      part.removeAttribute("data-busy-now");
    });
  };

  // Runs before htmx hears of the submit: the second click of a double click goes no further.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-busy]")) return;
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.setAttribute("aria-busy", "true");
    event.submitter?.setAttribute("aria-busy", "true");
    // The browser reads the clicked button's value first; then nothing can be clicked again.
    setTimeout(() => {
      all("button:enabled", form).forEach((button) => {
        button.setAttribute("data-busy-now", "");
        button.disabled = true;
      });
      const text = event.submitter?.dataset.busyText;
      if (!text) return;
      event.submitter.dataset.restingText = event.submitter.textContent;
      event.submitter.textContent = byId("news").textContent = text;
    });
  }, true);

  // A card number stands in groups as on the card; anything but digits and what parts them is the server's to judge.
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches("[data-card-number]") || event.isComposing || !/^[\d\s./-]*$/.test(field.value)) return;
    const digits = field.value.replace(/\D/g, "");
    const before = field.value.slice(0, field.selectionStart).replace(/\D/g, "").length;
    const ends = /^3[47]/.test(digits) ? [4, 10] : [4, 8, 12, 16];
    const gaps = (count) => ends.filter((end) => end < count).length;
    const grouped = [...digits].map((digit, place) => (ends.includes(place) ? " " : "") + digit).join("");
    if (grouped === field.value) return;
    field.value = grouped;
    // "Delete" before a gap goes over it, or it would never come any further.
    const over = event.inputType === "deleteContentForward" && ends.includes(before) && before < digits.length ? 1 : 0;
    field.setSelectionRange(before + gaps(before) + over, before + gaps(before) + over);
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    const dialog = opener && byId(opener.dataset.dialogOpen);
    const closer = event.target.closest("[data-dialog-close]");
    const fold = event.target.closest("[data-fold]");
    const copier = event.target.closest("[data-copy]");
    if (dialog) {
      event.preventDefault();
      event.stopPropagation();
      show(dialog);
    } else if (closer) {
      // Browsers that know command="close" do it themselves.
      if (!closer.commandForElement) closer.closest("dialog")?.close();
    } else if (fold) {
      event.preventDefault();
      all("details", byId(fold.getAttribute("aria-controls"))).forEach((part) => { part.open = fold.dataset.fold === "open"; });
    } else if (copier) {
      navigator.clipboard.writeText(byId(copier.dataset.copy).textContent).then(() => {
        copier.textContent = byId("news").textContent = copier.dataset.copied;
      }, () => getSelection().selectAllChildren(byId(copier.dataset.copy)));
    }
    all("details.menu[open]").forEach((menu) => { menu.open = menu.contains(event.target); });
  }, true);

  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  document.addEventListener("htmx:before:request", () => { byId("no-answer").hidden = true; });
  document.addEventListener("htmx:error", () => { byId("no-answer").hidden = false; });
  document.addEventListener("htmx:after:swap", (event) => {
    raiseDialogs();
    if (event.detail.ctx.response?.status >= 400) focusErrors();
    const news = byId("news");
    const said = all("[data-announce]").at(-1)?.dataset.announce;
    if (said && said !== news.textContent) news.textContent = said;
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement: source, keepIndicators: leaving } = event.detail.ctx;
    const form = source.matches("form, button") && source.closest("form");
    if (form && !leaving) rest(form);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) all("form[aria-busy]").forEach(rest); });

  // A page that is no safe context has no clipboard: what is to be copied can be selected there.
  if (navigator.clipboard) all("[data-copy]").forEach((button) => { button.hidden = false; });

  // What the browser's clock says, where the server could only guess from the language.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  all("select[data-own-time-zone]").forEach((select) => {
    if ([...select.options].some((option) => option.value === zone)) select.value = zone;
  });

  raiseDialogs();
})();
