// Keeps the blocks of a page up to date while it can be seen. Everything works without it.
(() => {
  "use strict";

  // A page says which key presses which of its buttons.
  addEventListener("keydown", (event) => {
    const isWriting = event.target.matches?.("input, select, textarea");
    if (isWriting || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
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

  const show = (event) => {
    const { id, html } = JSON.parse(event.data);
    const block = document.getElementById(id);
    if (!block || block.innerHTML === html) return;
    const open = [...block.querySelectorAll("details")].map((each) => each.open);
    const focused = [...block.querySelectorAll("a, button")].indexOf(document.activeElement);
    block.innerHTML = html;
    block.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
    markScrollable();
    if (focused >= 0) block.querySelectorAll("a, button")[focused]?.focus();
  };

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
    stream.addEventListener("block", show);
    stream.addEventListener("end", () => location.reload());
    stream.onerror = () => { if (stream?.readyState === EventSource.CLOSED) reloadLater(); };
  };

  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
})();
