// Keys: g and a letter lead to a page. They can be switched off (WCAG 2.1, 2.1.4), for those whose voice types.
const OFF = "postrmagic-keys-off";

function off(value) {
  try {
    if (value !== undefined) localStorage.setItem(OFF, value ? "yes" : "");
    return localStorage.getItem(OFF) === "yes";
  } catch {
    return false;
  }
}

export function keys({ theme, state }) {
  const dialog = document.querySelector("dialog.keys");
  const help = document.querySelector(".help");
  const use = dialog.querySelector("input[name=use]");
  help.hidden = false;
  help.addEventListener("click", () => dialog.showModal());
  use.checked = !off();
  use.addEventListener("change", () => off(!use.checked));

  let going = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || off()) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const since = event.timeStamp - going;
    going = -Infinity;
    if (since < 1500) {
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    const does = {
      g: () => { going = event.timeStamp; },
      "/": () => document.querySelector("main input[type=search]")?.focus(),
      p: () => state?.click(),
      t: () => theme.click(),
      "?": () => dialog.showModal(),
    }[event.key];
    if (does) {
      event.preventDefault();
      does();
    }
  });
}
