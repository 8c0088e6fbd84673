// Keeps an open page current. Elements with `data-live` are replaced, each in its place, by what a fresh copy of the page has
// under the same id. Its value says which events concern it: `any`, `server` (the id ends with the server's name), `revision`,
// `job`. Without this script a page is as good, and as old as its last load.

const QUIET_MS = 300;
const AT_MOST_EVERY_MS = 2000;

let timer = 0;
let refreshed = 0;
let waits = false;

const live = () => [...document.querySelectorAll("[data-live]")];

function concerns(element, event) {
  switch (element.dataset.live) {
    case "any": return true;
    case "server": return "server" in event && element.id.endsWith(`server-${event.server}`);
    case "revision": return event.kind === "revision-committed";
    case "job": return event.kind === "job-changed";
    default: return false;
  }
}

async function refresh() {
  timer = 0;
  if (document.hidden) {
    waits = true;
    return;
  }
  refreshed = Date.now();
  const response = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!response || !response.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const element of live()) {
    const next = element.id && fresh.getElementById(element.id);
    if (!next || next.isEqualNode(element) || element.contains(document.activeElement)) continue;
    const open = [...element.querySelectorAll("details")].map((details) => details.open);
    next.querySelectorAll("details").forEach((details, at) => { details.open = open[at] ?? false; });
    element.replaceWith(document.adoptNode(next));
  }
}

function soon() {
  if (timer) return;
  timer = setTimeout(refresh, Math.max(QUIET_MS, refreshed + AT_MOST_EVERY_MS - Date.now()));
}

if (live().length > 0) {
  let first = true;
  new EventSource("/events").onmessage = (message) => {
    const event = JSON.parse(message.data);
    // The stream begins with it; later it says that something may have been missed.
    const again = event.kind === "resynchronize" && !first;
    first = false;
    if (again || live().some((element) => concerns(element, event))) soon();
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && waits) {
      waits = false;
      soon();
    }
  });
}
