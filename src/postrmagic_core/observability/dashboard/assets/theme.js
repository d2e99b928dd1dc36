// Before anything is drawn: the colours that were chosen, and that there are scripts.
document.documentElement.classList.add("js");
try {
  const theme = localStorage.getItem("postrmagic-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Where nothing may be kept, the system's colours hold.
}
