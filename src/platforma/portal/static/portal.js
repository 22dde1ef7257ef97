// @ts-check
// What the pages do beyond links and forms. Everything here is comfort: without it every page still works.
"use strict";

(() => {
  const { Idiomorph } = /** @type {any} */ (window);

  // A live part is laid over the old one: what is open stays open, what is being typed stays.
  if (Idiomorph) {
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (/** @type {string} */ name, /** @type {Node} */ node) =>
      !(name === "open" && node instanceof HTMLDetailsElement);
  }

  // Nobody looks: do not ask.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = /** @type {CustomEvent} */ (event).detail;
    if (document.hidden && elt.getAttribute("hx-trigger")?.startsWith("every")) event.preventDefault();
  });

  // After a page was changed in place, put the focus where a fresh page would have it.
  document.addEventListener("htmx:afterSettle", (event) => {
    const { elt, boosted } = /** @type {CustomEvent} */ (event).detail;
    if (!boosted && elt !== document.body) return;
    focusStart();
  });

  function focusStart() {
    /** @type {HTMLElement | null} */
    const start =
      document.querySelector("[data-focus]") ||
      document.querySelector("main [autofocus]") ||
      document.querySelector("main h1");
    start?.focus({ preventScroll: !start.matches("[data-focus]") });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const refused = /** @type {HTMLElement | null} */ (document.querySelector("[data-focus]"));
    refused?.focus();
  });

  // The server could not be reached at all.
  document.addEventListener("htmx:sendError", () => {
    const notices = document.getElementById("notices");
    if (!notices || notices.querySelector("[data-offline]")) return;
    const notice = document.createElement("div");
    notice.className = "notice notice-bad";
    notice.setAttribute("role", "alert");
    notice.dataset.offline = "";
    notice.textContent = "The portal cannot be reached at the moment. Nothing was sent: try again.";
    notices.replaceChildren(notice);
  });
  document.addEventListener("htmx:afterOnLoad", () => document.querySelector("[data-offline]")?.remove());

  // The key / leads to the search, unless something is being typed.
  document.addEventListener("keydown", (event) => {
    const { activeElement } = document;
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (activeElement?.matches("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    const field = document.getElementById("site-search");
    if (!field?.offsetParent) return;
    event.preventDefault();
    field.focus();
  });

  // Menus close on Escape and when something else is clicked.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.removeAttribute("open");
      menu.querySelector("summary")?.focus();
    }
  });
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.removeAttribute("open");
    }
    const button = target.closest("[data-copy]");
    if (button instanceof HTMLElement) copy(button);
  });

  // What asks before a loss is a page of its own. Here its question is put over the page that it was asked from.
  document.addEventListener(
    "click",
    (event) => {
      const link = /** @type {Element} */ (event.target).closest("a[data-dialog]");
      if (!(link instanceof HTMLAnchorElement) || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      ask(link);
    },
    { capture: true },
  );

  /** @param {HTMLAnchorElement} link */
  async function ask(link) {
    const page = await questionAt(link.href);
    const form = page?.querySelector("main form[method=post]");
    const title = page?.querySelector("main h1");
    if (!form || !title) {
      window.location.assign(link.href);
      return;
    }
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    dialog.setAttribute("aria-labelledby", "dialog-title");
    const heading = document.createElement("h2");
    heading.id = "dialog-title";
    heading.textContent = title.textContent;
    dialog.append(heading, document.importNode(form, true));
    dialog.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (!target.closest("[data-cancel]") && target !== dialog) return;
      event.preventDefault();
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      const back = link.isConnected ? link : document.querySelector("main h1");
      if (back instanceof HTMLElement) back.focus();
    });
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.removeAttribute("open");
    document.body.append(dialog);
    dialog.showModal();
    const first = dialog.querySelector("input:not([type=hidden])") || dialog.querySelector("[data-cancel]");
    if (first instanceof HTMLElement) first.focus();
  }

  /** @param {string} address */
  async function questionAt(address) {
    try {
      const response = await fetch(address);
      if (!response.ok || response.redirected) return null;
      return new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      return null;
    }
  }

  // On a phone each row of a table is a card: its cells then say which column they are of.
  function nameCells() {
    for (const table of document.querySelectorAll("table.table")) {
      const names = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent?.trim() || "");
      for (const row of table.querySelectorAll("tbody tr")) {
        [...row.children].forEach((cell, number) => {
          const isWide = /** @type {HTMLTableCellElement} */ (cell).colSpan > 1;
          if (names[number] && !isWide) cell.setAttribute("data-label", names[number]);
        });
      }
    }
  }
  document.addEventListener("DOMContentLoaded", nameCells);
  document.addEventListener("htmx:afterSwap", nameCells);

  /** @param {HTMLElement} button */
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy || "");
    await navigator.clipboard.writeText(source instanceof HTMLTextAreaElement ? source.value : source?.textContent || "");
    const words = button.querySelector("span") || button;
    const before = words.textContent;
    words.textContent = "Copied";
    window.setTimeout(() => (words.textContent = before), 2000);
  }

  // A form is sent once: a second click before the answer would ask for the same thing twice.
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.method !== "post") return;
    window.setTimeout(() => {
      for (const button of form.querySelectorAll("button:enabled")) {
        /** @type {HTMLButtonElement} */ (button).disabled = true;
        /** @type {HTMLButtonElement} */ (button).dataset.sent = "";
      }
    });
  });

  // It was not sent after all, or the browser came back to the page.
  function letSendAgain() {
    for (const button of document.querySelectorAll("button[data-sent]")) {
      /** @type {HTMLButtonElement} */ (button).disabled = false;
      /** @type {HTMLButtonElement} */ (button).removeAttribute("data-sent");
    }
  }
  window.addEventListener("pageshow", letSendAgain);
  document.addEventListener("htmx:sendError", letSendAgain);
})();
