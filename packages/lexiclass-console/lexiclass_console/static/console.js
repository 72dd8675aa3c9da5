// Keeps the blocks of a page up to date while it can be seen. Everything works without it.
(() => {
  "use strict";

  // What is sent twice is done twice: the first is on its way until a page is shown.
  let isSent = false;
  addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (isSent) event.preventDefault();
    isSent = true;
  });
  addEventListener("pageshow", () => { isSent = false; });

  // A page says which key presses which of its buttons.
  addEventListener("keydown", (event) => {
    const isWriting = event.target.matches?.("input, select, textarea");
    if (isSent || isWriting || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  });

  const RELOAD_MS = 15000;

  // What scrolls must be reached by the keyboard.
  const markScrollable = () => document.querySelectorAll(".wide, pre").forEach((each) => {
    const scrolls = each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight;
    if (scrolls) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  });
  markScrollable();
  addEventListener("resize", markScrollable);
  addEventListener("toggle", markScrollable, true);

  if (!document.querySelector("[id^=live_]")) return;
  let stream = null;
  let reload = 0;

  const isBusy = () => document.activeElement?.matches("input, select, textarea");

  const FOCUSED = "a, button, summary, .wide, .bounded, pre";
  const SCROLLED = ".wide, .bounded, pre";
  // What was sent while something in its block was selected, by the block's id.
  const held = new Map();

  // Without what the passing of time, a reader and this script change in it.
  const bare = (html) => html.replace(/(<time [^>]*>)[^<]*/g, "$1").replace(/ (?:open|tabindex)="\w*"/g, "");

  const isSelectedIn = (block) => {
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(block, true);
  };

  // What looks the same: rows may have come before it.
  const nameOf = (each) => each.matches(SCROLLED)
    ? each.tagName + each.className
    : each.tagName + (each.getAttribute("href") ?? each.textContent);
  const among = (block, like) => [...block.querySelectorAll(FOCUSED)].filter((each) => nameOf(each) === like);

  const replaceWith = (block, html) => {
    const open = [...block.querySelectorAll("details")].map((each) => each.open);
    const scrolled = [...block.querySelectorAll(SCROLLED)].map((each) => [each.scrollLeft, each.scrollTop]);
    const focused = block.contains(document.activeElement) && document.activeElement.matches(FOCUSED)
      ? nameOf(document.activeElement) : null;
    const at = focused === null ? -1 : among(block, focused).indexOf(document.activeElement);
    block.innerHTML = html;
    block.querySelectorAll("details").forEach((each, index) => { each.open = open[index] ?? false; });
    markScrollable();
    block.querySelectorAll(SCROLLED).forEach((each, index) => each.scrollTo(...(scrolled[index] ?? [0, 0])));
    if (focused !== null) among(block, focused)[at]?.focus({ preventScroll: true });
  };

  const show = (id, html) => {
    const block = document.getElementById(id);
    if (!block) return;
    if (isSelectedIn(block)) {
      held.set(id, html);
      return;
    }
    held.delete(id);
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (bare(fresh.innerHTML) !== bare(block.innerHTML)) {
      replaceWith(block, html);
      return;
    }
    const times = fresh.content.querySelectorAll("time");
    block.querySelectorAll("time").forEach((each, index) => {
      if (each.textContent !== times[index].textContent) each.textContent = times[index].textContent;
    });
  };

  document.addEventListener("selectionchange", () => [...held].forEach(([id, html]) => show(id, html)));

  const close = () => {
    stream?.close();
    stream = null;
    clearTimeout(reload);
  };

  // Too many streams, or none get through: the page is loaded anew instead.
  const reloadLater = () => {
    close();
    reload = setTimeout(() => (isBusy() ? reloadLater() : location.reload()), RELOAD_MS);
  };

  const open = () => {
    close();
    if (document.hidden) return;
    stream = new EventSource(location.href);
    stream.addEventListener("block", (event) => {
      const { id, html } = JSON.parse(event.data);
      show(id, html);
    });
    stream.addEventListener("end", () => location.reload());
    stream.onerror = () => { if (stream?.readyState === EventSource.CLOSED) reloadLater(); };
  };

  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
})();
